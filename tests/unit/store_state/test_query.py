"""The store chooses findings as they are asked for, whole namespaces at a time for readers of some."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftItem, DriftSource, Owner, finding_id
from reconciler.report.query import Query
from reconciler.report.selector import parse_selector
from reconciler.store.decisions import record
from reconciler.store.findings import Pass, replace_findings
from reconciler.store.query import count_denials, read_matching
from reconciler.store.schema import DRIFT_FACTS
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
    found = read_matching(state, Query(**query), LABELS)
    assert sum(found.counts.values()) == len(found.texts)
    return [one["name"] for one in found.items()]


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


@QUERIES
def test_findings_of_a_version_that_kept_nothing_beside_them_are_chosen_so_too(
    filled: State, query: dict[str, Any], chosen: list[str]
) -> None:
    with filled.write() as connection:
        connection.execute(delete(DRIFT_FACTS))
    assert names(filled, **query) == chosen


def test_counts_are_of_what_matches(filled: State) -> None:
    assert read_matching(filled, Query({"namespace": "pay"})).counts == {"missing": 1, "drifted": 1}


def test_a_pass_that_finds_the_same_leaves_the_digest_and_another_severity_does_not(state: State) -> None:
    def digest(**more: Any) -> str:
        replace_findings(state, [replace(item("web"), **more)], Pass())
        return read_matching(state, Query()).digest

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
