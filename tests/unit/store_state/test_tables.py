"""What is put into the tables comes out as the report needs it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.limits import DELIVERIES_KEPT, REPORT_PAGE
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftItem, DriftSource, finding_id
from reconciler.store import deliveries
from reconciler.store.deliveries import note_delivery, seen_delivery
from reconciler.store.findings import (
    Pass,
    count_findings,
    drop_findings,
    last_pass,
    managed_key,
    put_findings,
    read_finding,
    read_findings,
    replace_findings,
)
from reconciler.store.sources import SourceStatus, keep_sources, read_sources, save_source, save_sources
from reconciler.store.state import State

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def item(name: str = "web", state: str = "drifted", seen: str = "2030-01-01T00:00:00Z", **more: object) -> DriftItem:
    made = DriftItem(
        id=finding_id(ObjectRef("apps", "Deployment", "shop", name)),
        fingerprint="f",
        api_version="apps/v1",
        kind="Deployment",
        namespace="shop",
        name=name,
        state=state,
        source=DriftSource(name="shop"),
        first_seen=seen,
        last_seen=seen,
    )
    return replace(made, **more)


def test_a_finding_keeps_when_it_was_first_seen_for_as_long_as_it_lasts(state: State) -> None:
    replace_findings(state, [item()], Pass())
    replace_findings(state, [item(seen="2030-01-05T00:00:00Z", fingerprint="other")], Pass())
    found, _, _ = read_findings(state)
    assert (found[0]["firstSeen"], found[0]["lastSeen"]) == ("2030-01-01T00:00:00Z", "2030-01-05T00:00:00Z")
    replace_findings(state, [], Pass())
    replace_findings(state, [item(seen="2030-01-09T00:00:00Z")], Pass())
    assert read_findings(state)[0][0]["firstSeen"] == "2030-01-09T00:00:00Z"


def test_a_full_pass_forgets_what_it_did_not_find_and_stores_nothing_in_sync(state: State) -> None:
    replace_findings(state, [item("a"), item("b", "missing"), item("c", "in-sync")], Pass())
    assert read_findings(state)[1:] == (2, {"drifted": 1, "missing": 1})
    replace_findings(state, [item("b", "missing")], Pass())
    assert [found["name"] for found in read_findings(state)[0]] == ["b"]


def test_single_findings_come_and_go_without_a_pass(state: State) -> None:
    replace_findings(state, [item("a")], Pass("2030-01-01T00:00:00Z"))
    put_findings(state, [item("b"), item("a", "in-sync")])
    assert [found["name"] for found in read_findings(state)[0]] == ["b"]
    drop_findings(state, [item("b").id])
    assert read_findings(state)[1] == 0
    assert last_pass(state).observed_at == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"namespace": "shop"}, ["a", "b"]),
        ({"namespace": "other"}, []),
        ({"kind": "deployment"}, ["a", "b"]),
        ({"name": "a"}, ["a"]),
        ({"state": "missing"}, ["b"]),
        ({"source": "shop", "name": "b"}, ["b"]),
        ({"name": "' OR 1=1 --"}, []),
    ],
)
def test_filters_choose_findings(state: State, filters: dict[str, str], names: list[str]) -> None:
    replace_findings(state, [item("a"), item("b", "missing")], Pass())
    found, total, _ = read_findings(state, filters)
    assert (sorted(one["name"] for one in found), total) == (names, len(names))


def test_a_page_is_cut_and_the_total_is_not(state: State) -> None:
    replace_findings(state, [item(f"w{n}") for n in range(5)], Pass())
    found, total, _ = read_findings(state, limit=2)
    assert (len(found), total) == (2, 5)


def test_many_findings_are_removed_at_once(state: State) -> None:
    many = [item(f"w{n}") for n in range(3 * REPORT_PAGE)]
    put_findings(state, many)
    put_findings(state, [replace(one, first_seen="2031-01-01T00:00:00Z") for one in many])
    assert read_findings(state)[0][0]["firstSeen"] == "2030-01-01T00:00:00Z"
    drop_findings(state, [one.id for one in many])
    assert read_findings(state)[1] == 0


def test_one_finding_is_found_by_id(state: State) -> None:
    replace_findings(state, [item()], Pass())
    found = read_finding(state, item().id)
    assert found is not None
    assert (found["name"], found["cluster"]) == ("web", "default")
    assert read_finding(state, "nope") is None


def test_clusters_do_not_see_each_other(state: State) -> None:
    replace_findings(state, [item()], Pass("x"))
    other = State(state.engine, "other")
    assert read_findings(other)[1] == 0
    replace_findings(other, [], Pass("y"))
    assert (read_findings(state)[1], last_pass(state).observed_at) == (1, "x")


def test_a_pass_comes_back_whole(state: State) -> None:
    assert last_pass(state) == Pass()
    managed = {managed_key("Deployment", "apps", "shop"): 4}
    done = Pass("2030-01-01T00:00:00Z", "ab", managed, {"hpa-range": 2}, ("rule x expired",))
    replace_findings(state, [item()], done)
    assert last_pass(state) == done
    assert count_findings(state) == [("apps", "Deployment", "shop", "drifted", 1)]


def test_a_source_keeps_since_when_it_is_in_its_state(state: State) -> None:
    save_source(state, SourceStatus("shop", "Ready", enforced="r1"), "2030-01-01T00:00:00Z")
    save_source(state, SourceStatus("shop", "Ready", enforced="r2"), "2030-01-02T00:00:00Z")
    assert [(s["since"], s["updated"], s["enforced"]) for s in read_sources(state)] == [
        ("2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z", "r2")
    ]
    save_source(state, SourceStatus("shop", "RenderFailed", enforced="r2", attempted="r3"), "2030-01-03T00:00:00Z")
    assert read_sources(state)[0]["since"] == "2030-01-03T00:00:00Z"
    keep_sources(state, ["another"])
    assert read_sources(state) == []


def test_only_sources_that_have_changed_are_written(state: State) -> None:
    """Each look at one source tells of all: what it costs must not grow with how many there are."""
    shop, gpu = SourceStatus("shop", "Ready", enforced="r1"), SourceStatus("gpu", "Ready", fetch_seconds=0.1)
    save_sources(state, [shop, gpu, SourceStatus("gone", "Ready")], "2030-01-01T00:00:00Z")
    save_sources(state, [replace(shop, succeeded="2030-01-02T00:00:00Z"), gpu], "2030-01-02T00:00:00Z")
    assert [(row["name"], row["updated"], row["lastSuccess"]) for row in read_sources(state)] == [
        ("gpu", "2030-01-01T00:00:00Z", ""),
        ("shop", "2030-01-02T00:00:00Z", "2030-01-02T00:00:00Z"),
    ]


def test_no_password_of_a_source_is_stored(state: State) -> None:
    save_source(
        state,
        SourceStatus(
            "shop",
            "Ready",
            url="https://u:hunter2@git.example.com/a.git",
            beside=(("https://v:hunter2@git.example.com/b.git", "HEAD"),),
        ),
        "t",
    )
    assert "hunter2" not in json.dumps(read_sources(state))


def test_a_delivery_is_known_the_second_time_and_only_to_its_receiver(state: State) -> None:
    assert not seen_delivery(state, "gh", "1")
    assert note_delivery(state, "gh", "1", "accepted", NOW)
    assert seen_delivery(state, "gh", "1")
    assert not note_delivery(state, "gh", "1", "accepted", NOW)
    assert not seen_delivery(state, "other", "1")
    assert not seen_delivery(state, "gh", "")


def test_old_deliveries_are_forgotten(state: State) -> None:
    note_delivery(state, "gh", "1", "accepted", NOW)
    note_delivery(state, "gh", "2", "accepted", NOW + timedelta(hours=25))
    assert not seen_delivery(state, "gh", "1")
    assert seen_delivery(state, "gh", "2")


def test_a_flood_of_deliveries_is_bounded(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DELIVERIES_KEPT == 10_000
    monkeypatch.setattr(deliveries, "DELIVERIES_KEPT", 3)
    for number in range(6):
        note_delivery(state, "gh", str(number), "accepted", NOW + timedelta(seconds=number))
    assert [seen_delivery(state, "gh", str(number)) for number in range(6)] == [False] * 3 + [True] * 3
