"""What Prometheus reads of findings: by few labels, over restarts, of hostile names nothing but text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

import webhook.api.metrics as module
from reconciler.policy.grant import Grant, Scope
from reconciler.report.drift import Attribution, DriftItem
from reconciler.store.findings import Pass, put_findings, replace_findings
from reconciler.store.grants import add_grant
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State
from reconciler.store.totals import count_on
from setscrew.stored_state import StoredState
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = 'a"} 1\nsetscrew_drift_resources{state="in-sync\\'


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(get: Get, name: str, *labels: str) -> dict[Any, float]:
    """The samples of one name that are not 0, by some of their labels."""
    found = [one for family in families(get("/metrics").text).values() for one in family.samples if one.name == name]
    return {tuple(one.labels[label] for label in labels): one.value for one in found if one.value}


def item(name: str, namespace: str = "shop", **more: Any) -> DriftItem:
    seen = {"first_seen": "2030-01-02T03:00:00Z", "last_seen": "2030-01-02T03:00:00Z"}
    named = {"id": name, "fingerprint": f"f{name}", "api_version": "apps/v1", "kind": "Deployment"}
    return DriftItem(**{**named, "namespace": namespace, "name": name, "state": "drifted", **seen, **more})


def passed(state: State, items: list[DriftItem], at: str = "2030-01-02T03:00:00Z") -> None:
    replace_findings(state, items, Pass(at))
    count_on(state, at)


def test_findings_are_counted_by_namespace_state_and_severity_with_the_age_of_the_oldest(
    state: State, get: Get
) -> None:
    passed(state, [item("a", severity="high"), item("b", severity="high", first_seen="2030-01-02T02:04:05Z")])
    put_findings(state, [item("c", "bank", state="missing", severity="low")])
    labels = ("namespace", "state", "severity")
    assert values(get, "setscrew_drift_resources", *labels) == {
        ("shop", "drifted", "high"): 2, ("bank", "missing", "low"): 1,
    }  # fmt: skip
    assert values(get, "setscrew_drift_oldest_seconds", *labels) == {
        ("shop", "drifted", "high"): 3600, ("bank", "missing", "low"): 245,
    }  # fmt: skip


def test_namespaces_can_be_left_out(state: State) -> None:
    passed(state, [item("a"), item("b", "bank", first_seen="2030-01-02T03:04:00Z")])
    settings = ApiSettings(token=b"x", now=lambda: NOW, metric_namespaces=False)
    client = create_api_app(StoredState(state), settings, lambda _: None).test_client()
    found = families(client.get("/metrics", headers={"Authorization": "Bearer x"}).text)
    (count,), (oldest,) = (
        found[name].samples for name in ("setscrew_drift_resources", "setscrew_drift_oldest_seconds")
    )
    assert (count.labels["namespace"], count.value, oldest.value) == ("", 2, 245)


def test_too_many_series_fold_into_one_without_namespace(
    state: State, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "METRIC_SERIES", 3)
    passed(state, [item(str(number), f"ns{number}") for number in range(4)])
    assert values(get, "setscrew_drift_resources", "namespace") == {("",): 4}


def test_hostile_labels_stay_text_and_no_name_path_or_user_is_a_label(state: State, get: Get) -> None:
    evil = replace(item("x", EVIL), name="a-name", attribution=Attribution(user="a-user"))
    passed(state, [replace(evil, kind=EVIL, source=replace(evil.source, name=EVIL))])
    assert values(get, "setscrew_drift_resources", "namespace", "kind", "source") == {(EVIL, EVIL, EVIL): 1}
    text = get("/metrics").text
    assert "a-name" not in text
    assert "a-user" not in text


def test_counters_begin_at_zero_so_that_the_first_event_is_an_increase(get: Get) -> None:
    found = families(get("/metrics").text)
    for name in ("setscrew_drift_detected", "setscrew_drift_resolved"):
        samples = [one for one in found[name].samples if one.name.endswith("_total")]
        assert ({one.labels["state"] for one in samples}, {one.value for one in samples}) == (
            {"drifted", "missing", "extra", "orphaned"}, {0.0},
        )  # fmt: skip


def test_what_happens_to_findings_is_counted_once_however_often_the_counting_begins_anew(
    state: State, get: Get
) -> None:
    passed(state, [])
    written = Attribution("kubectl", time="2030-01-02T03:00:57Z", confidence="managedFields")
    found = item("a", severity="high", attribution=written, first_seen="2030-01-02T03:01:00Z")
    passed(state, [replace(found, last_seen="2030-01-02T03:01:00Z")], "2030-01-02T03:01:00Z")
    passed(state, [replace(found, fingerprint="other", last_seen="2030-01-02T03:02:00Z")], "2030-01-02T03:02:00Z")
    passed(state, [], "2030-01-02T03:03:00Z")
    assert count_on(state, "2030-01-02T03:04:00Z") == []
    key = ("state", "severity")
    assert values(get, "setscrew_drift_detected_total", *key) == {("drifted", "high"): 1}
    assert values(get, "setscrew_drift_resolved_total", *key) == {("drifted", "high"): 1}
    for name, seconds in (("setscrew_time_to_detect_seconds", 3), ("setscrew_time_to_resolve_seconds", 120)):
        assert values(get, f"{name}_sum", "severity") == {("high",): seconds}
        assert values(get, f"{name}_count", "severity") == {("high",): 1}
    buckets = values(get, "setscrew_time_to_detect_seconds_bucket", "le")
    assert min(float(le) for (le,) in buckets) == 5.0


@pytest.mark.parametrize("time", ["2020-01-01T00:00:00Z", "", "yesterday", "2030-01-02T03:01:00"])
def test_a_write_from_before_anybody_counted_or_at_no_time_has_no_time_to_detect(
    state: State, get: Get, time: str
) -> None:
    passed(state, [])
    passed(state, [item("a", attribution=Attribution("kubectl", time=time))], "2030-01-02T03:02:00Z")
    assert values(get, "setscrew_drift_detected_total", "state") == {("drifted",): 1}
    assert values(get, "setscrew_time_to_detect_seconds_count", "severity") == {}


def test_while_nobody_knows_nothing_has_happened(state: State, get: Get) -> None:
    passed(state, [item("a")])
    passed(state, [item("a", state="unknown", fingerprint="u")])
    passed(state, [item("a")])
    assert values(get, "setscrew_drift_detected_total", "state") == {("drifted",): 1}
    assert values(get, "setscrew_drift_resolved_total", "state") == {}


def test_grants_that_hold_now_are_told(state: State, get: Get) -> None:
    for name, begins, ends in (("holds", -60, 60), ("over", -60, -1), ("later", 60, 120)):
        times = {"not_before": (NOW + timedelta(seconds=begins)).timestamp()}
        grant = Grant(name, (), Scope(), "why", (NOW + timedelta(seconds=ends)).timestamp(), **times)
        add_grant(state, grant, json.dumps({"name": name}), NOW.timestamp())
    assert values(get, "setscrew_exceptions_active") == {(): 1}


def test_a_source_that_cannot_be_followed_is_stale(state: State, get: Get) -> None:
    save_source(state, SourceStatus("shop", "Stale", objects=7, stale="2030-01-02T00:00:00Z"), "2030-01-02T03:00:00Z")
    assert values(get, "setscrew_source_stale", "source") == {("shop",): 1}
    assert values(get, "setscrew_source_objects", "source") == {("shop",): 7}
