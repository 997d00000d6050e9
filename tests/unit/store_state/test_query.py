"""The store chooses findings as they are asked for, whole namespaces at a time for readers of some."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.limits import API_THREADS
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftItem, DriftSource, Owner, finding_id
from reconciler.report.line import line_of
from reconciler.report.query import Query
from reconciler.report.selector import parse_selector
from reconciler.store import bodies
from reconciler.store.decisions import record
from reconciler.store.findings import Pass, put_findings, replace_findings
from reconciler.store.query import count_denials, read_lines, read_matching
from reconciler.store.state import State

LABELS = {"shop": {"team": "vision"}, "pay": {"team": "money"}}


def item(name: str, namespace: str = "shop", **more: Any) -> DriftItem:
    fixed = {"api_version": "apps/v1", "kind": "Deployment", "state": "drifted", "first_seen": "2030-01-01T00:00:00Z"}
    identity = finding_id(ObjectRef("apps", "Deployment", namespace, name))
    return DriftItem(id=identity, fingerprint="f", namespace=namespace, name=name, **{**fixed, **more})


@pytest.fixture
def filled(state: State) -> State:
    items = [
        item("web", severity="high", owner=Owner("vision"), source=DriftSource("deploy")),
        item("db", "pay", state="missing", severity="low", first_seen="2030-01-02T00:00:00Z"),
        item("Web_%", "pay", kind="ConfigMap", api_version="v1", first_seen="2030-01-03T00:00:00Z"),
        item("node", "", kind="Node", api_version="v1", severity="critical", first_seen="2030-01-01T12:00:00Z"),
    ]
    replace_findings(state, items, Pass())
    return state


def names(state: State, **query: Any) -> list[str]:
    with read_matching(state, Query(**query), LABELS) as found:
        assert sum(found.counts.values()) == len(found.texts) == len(found.lines)
        told = [json.loads(text) for text in found.texts]
    assert [one["id"] for one in told] == [line.id for line in found.lines]
    return [one["name"] for one in told]


QUERIES = pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({}, ["web", "node", "db", "Web_%"]),
        ({"equal": {"cluster": "other"}}, []),
        ({"equal": {"group": "apps", "kind": "deployment"}}, ["web", "db"]),
        ({"equal": {"group": ""}}, ["node", "Web_%"]),
        ({"equal": {"namespace": ""}}, ["node"]),
        ({"equal": {"owner": "vision"}}, ["web"]),
        ({"equal": {"severity": "critical"}}, ["node"]),
        ({"equal": {"source": "deploy", "state": "drifted"}}, ["web"]),
        ({"search": "WEB"}, ["web", "Web_%"]),
        ({"search": "_%"}, ["Web_%"]),
        ({"since": "2030-01-02T00:00:00Z"}, ["db", "Web_%"]),
        ({"until": "2030-01-01T12:00:00Z"}, ["web", "node"]),
        ({"labels": parse_selector("team=money")}, ["db", "Web_%"]),
        ({"labels": parse_selector("!team")}, ["node"]),
        ({"scope": frozenset({"shop"})}, ["web"]),
        ({"scope": frozenset()}, []),
        ({"scope": frozenset({"shop"}), "equal": {"namespace": "pay"}}, []),
        ({"sort": "name"}, ["Web_%", "db", "node", "web"]),
        ({"sort": "-firstSeen"}, ["Web_%", "db", "node", "web"]),
        ({"sort": "severity"}, ["node", "web", "Web_%", "db"]),
        ({"sort": "-severity"}, ["db", "Web_%", "web", "node"]),
        ({"sort": "namespace"}, ["node", "db", "Web_%", "web"]),
    ],
)


@QUERIES
def test_a_query_chooses_and_orders(filled: State, query: dict[str, Any], chosen: list[str]) -> None:
    assert names(filled, **query) == chosen


def test_counts_are_of_what_matches(filled: State) -> None:
    with read_matching(filled, Query({"namespace": "pay"})) as found:
        assert found.counts == {"missing": 1, "drifted": 1}


def test_the_line_of_a_finding_says_what_the_finding_says(filled: State) -> None:
    with read_matching(filled, Query()) as found:
        told = {line.id: line for line in map(line_of, found.texts)}
        assert found.size == sum(map(len, found.texts))
    assert {line.id: line for line in read_lines(filled)} == told
    assert {line.name for line in read_lines(filled, frozenset({"shop"}))} == {"web"}


def test_a_list_is_of_the_moment_when_it_was_asked_for(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "REPORT_FIRST", 2)
    many = [item(f"n{number}") for number in range(5)]
    put_findings(state, many)
    found = read_matching(state, Query())
    texts = iter(found.texts)
    began = [next(texts)]
    put_findings(state, [replace(one, state="in-sync") for one in many])
    assert sorted(json.loads(text)["name"] for text in [*began, *texts]) == [f"n{number}" for number in range(5)]


def test_whoever_has_gone_through_a_list_holds_the_store_no_longer(filled: State) -> None:
    found = read_matching(filled, Query())
    held = filled.engine.pool.checkedout()  # type: ignore[attr-defined] # of pools that count
    first, again = list(found.texts), list(found.texts)
    assert (held, filled.engine.pool.checkedout()) == (1, 0)  # type: ignore[attr-defined]
    assert first == again == list(found.texts[:]) == [found.texts[place] for place in range(4)]


def test_as_many_lists_are_read_at_once_as_are_asked_for_and_each_reader_may_ask_for_more(filled: State) -> None:
    with ExitStack() as held:
        found = [held.enter_context(read_matching(filled, Query())) for _ in range(2 * API_THREADS)]
        assert {len(one.texts[:]) for one in found} == {4}
        assert count_denials(filled, "2030-01-01T00:00:00Z") == []


def test_what_was_not_read_before_a_list_is_closed_cannot_be_read(filled: State) -> None:
    with read_matching(filled, Query()) as found:
        pass
    assert filled.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with pytest.raises(StoreError):
        list(found.texts)


def test_a_pass_that_finds_the_same_leaves_the_digest_and_another_severity_does_not(state: State) -> None:
    def digest(**more: Any) -> str:
        replace_findings(state, [replace(item("web"), **more)], Pass())
        with read_matching(state, Query()) as found:
            return found.digest

    first = digest(last_seen="2030-01-01T00:00:00Z", live_resource_version="1")
    assert digest(last_seen="2030-01-01T00:00:30Z", live_resource_version="2") == first
    assert digest(last_seen="2030-01-01T00:00:30Z", severity="low") != first


def test_refused_changes_are_counted_by_place(state: State) -> None:
    for namespace, allowed, time in (
        ("shop", False, "2030-01-02T00:00:00.500Z"),
        ("shop", False, "2030-01-02T00:00:01.000Z"),
        ("shop", True, "2030-01-02T00:00:02.000Z"),
        ("shop", False, "2030-01-01T00:00:00.000Z"),
        ("pay", False, "2030-01-02T00:00:00.000Z"),
    ):
        told = {"time": time, "code": "held", "allowed": allowed, "namespace": namespace, "kind": "Pod", "source": "s"}
        record(state, json.dumps(told).encode())
    since = "2030-01-02T00:00:00.000Z"
    assert count_denials(state, since) == [("pay", "Pod", "s", 1), ("shop", "Pod", "s", 2)]
    assert count_denials(state, since, frozenset({"pay"})) == [("pay", "Pod", "s", 1)]
    assert count_denials(state, since, frozenset()) == []
