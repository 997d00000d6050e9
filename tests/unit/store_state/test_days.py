"""How much happened on each of the last days, by namespace: counted once, where it happens."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.limits import DAYS_KEPT
from reconciler.report.days import Day, day_of
from reconciler.report.drift import DriftChange, DriftItem
from reconciler.store import days as module
from reconciler.store.days import count_days, open_day, read_days
from reconciler.store.decisions import record_all
from reconciler.store.findings import Pass, drop_findings, put_findings, read_findings, replace_findings
from reconciler.store.history import read_history
from reconciler.store.state import State

WEB = DriftItem(
    *("web", "one", "apps/v1", "Deployment", "shop", "web", "drifted"),
    changes=(DriftChange("/spec/replicas", "replace", 1, 5),),
    first_seen="2030-01-01T23:59:59Z",
    last_seen="2030-01-01T23:59:59Z",
)


def seen(item: DriftItem, at: str, **changes: Any) -> DriftItem:
    return replace(item, last_seen=at, **changes)


def told(state: State, until: str, days: int = 2, scope: frozenset[str] | None = None) -> list[tuple[int, int, int]]:
    return [(one.found, one.resolved, one.denials) for one in read_days(state, until, days, scope)]


def decision(time: str, namespace: str = "shop", *, allowed: bool = False) -> bytes:
    return json.dumps({"allowed": allowed, "code": "held", "time": time, "namespace": namespace}).encode()


def test_what_begins_and_ends_counts_on_its_own_day(state: State) -> None:
    put_findings(state, [WEB, replace(WEB, id="other", name="other")])
    put_findings(state, [seen(WEB, "2030-01-02T00:00:00Z", state="in-sync", changes=())])
    assert told(state, "2030-01-02T12:00:00Z") == [(2, 0, 0), (0, 1, 0)]
    assert [one.day for one in read_days(state, "2030-01-02T12:00:00Z", 2)] == ["2030-01-01", "2030-01-02"]


def test_what_only_changes_or_is_unknown_is_counted_no_second_time(state: State) -> None:
    put_findings(state, [WEB])
    put_findings(state, [seen(WEB, "2030-01-02T00:00:00Z", fingerprint="two")])
    put_findings(state, [seen(WEB, "2030-01-02T01:00:00Z", state="unknown", fingerprint="three", changes=())])
    put_findings(state, [seen(WEB, "2030-01-02T02:00:00Z", fingerprint="two")])
    assert told(state, "2030-01-02") == [(1, 0, 0), (0, 0, 0)]


def test_what_a_full_pass_did_not_find_and_what_is_let_go_is_over(state: State) -> None:
    put_findings(state, [WEB, replace(WEB, id="other", name="other")])
    replace_findings(state, [WEB], Pass("2030-01-02T08:00:00Z"))
    drop_findings(state, ["web"], "2030-01-02T09:00:00Z")
    assert told(state, "2030-01-02") == [(2, 0, 0), (0, 2, 0)]


def test_refused_changes_count_and_others_do_not(state: State) -> None:
    at = "2030-01-02T00:00:00.000Z"
    record_all(state, [decision(at), decision(at), decision(at, allowed=True), decision("2030-01-01T10:00:00.000Z")])
    assert told(state, "2030-01-02") == [(0, 0, 1), (0, 0, 2)]


def test_who_may_see_some_namespaces_is_told_of_these_alone(state: State) -> None:
    at = "2030-01-02T00:00:00.000Z"
    record_all(state, [decision(at), decision(at, "pay"), decision(at, "")])
    put_findings(state, [seen(WEB, "2030-01-02T00:00:00Z"), seen(WEB, "2030-01-02T00:00:00Z", id="x", namespace="pay")])
    assert told(state, at, 1) == [(2, 0, 3)]
    assert told(state, at, 1, frozenset({"pay"})) == [(1, 0, 1)]
    assert told(state, at, 1, frozenset()) == [(0, 0, 0)]


def test_a_day_before_anybody_counted_is_no_day_without_drift(state: State) -> None:
    assert {one.counted for one in read_days(state, "2030-01-03")} == {False}
    replace_findings(state, [], Pass("2030-01-02T08:00:00Z"))
    days = read_days(state, "2030-01-03", scope=frozenset({"shop"}))
    assert days[-3:] == [Day("2030-01-01", counted=False), Day("2030-01-02"), Day("2030-01-03")]
    assert len(days) == DAYS_KEPT


def test_another_cluster_is_counted_by_itself(state: State) -> None:
    put_findings(State(state.engine, "west"), [WEB])
    assert told(state, "2030-01-01", 1) == [(0, 0, 0)]
    assert told(State(state.engine, "west"), "2030-01-01", 1) == [(1, 0, 0)]


def test_days_are_bounded_also_where_the_clock_was_far_ahead_for_a_moment(state: State) -> None:
    def opened(*days: str) -> None:
        with state.write() as connection:
            for day in days:
                open_day(connection, state.cluster, f"{day}T00:00:00Z")

    opened(*(f"2030-01-{day:02}" for day in range(1, 31)), "2077-07-07", "2030-01-31")
    with state.write() as connection:
        count_days(connection, state.cluster, [("found", "2030-01-20T00:00:00Z", "shop")])
    days = read_days(state, "2030-01-31", 40)
    assert [one.counted for one in days] == [False] * 11 + [True] * 29
    assert sum(one.found for one in days) == 1


@pytest.mark.parametrize("time", ["", "soon", "2030-13-01T00:00:00Z", "2030-01"])
def test_a_time_that_is_none_is_of_no_day(state: State, time: str) -> None:
    assert day_of(time) == ""
    with state.write() as connection:
        count_days(connection, state.cluster, [("denials", time, "shop")])
    assert not any(one.counted for one in read_days(state, "2030-01-31"))


def test_what_is_not_stored_is_not_counted(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("stop")

    monkeypatch.setattr(module, "_add", fails)
    with pytest.raises(RuntimeError, match="stop"):
        put_findings(state, [WEB])
    assert (read_findings(state)[1], read_history(state, "web")) == (0, [])
