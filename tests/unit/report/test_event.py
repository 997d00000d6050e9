"""An Event says who, where and which paths, in at most a kilobyte, and no value of any object."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.limits import EVENT_NOTE_BYTES
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource
from reconciler.report.event import detected, key_of, of_decision, of_source, resolved

NOW = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
PLAIN = "plain-9d1c-never-print"


def change(path: str) -> DriftChange:
    return DriftChange(f"/{path}", "replace", PLAIN, PLAIN, field=path)


ITEM = DriftItem(
    id="i",
    fingerprint="f",
    api_version="apps/v1",
    kind="Deployment",
    namespace="shop",
    name="web",
    state="drifted",
    source=DriftSource("shop", file="deploy/web.yaml", line=12, commit="c" * 40),
    changes=tuple(change(f"spec.p{number}") for number in range(5)),
    attribution=Attribution("kubectl-edit", "dana", confidence="admission"),
    uid="u-1",
)
RECORD: dict[str, Any] = {
    "allowed": False,
    "code": "drift",
    "would": "",
    "user": "dana",
    "operation": "UPDATE",
    "group": "apps",
    "version": "v1",
    "kind": "Deployment",
    "namespace": "shop",
    "name": "web",
    "resource": "deployments",
    "paths": [{"path": "/spec/replicas", "want": PLAIN, "was": PLAIN, "now": PLAIN}],
}


def test_a_finding_is_told_at_its_object_with_three_paths_where_git_declares_it_and_who_wrote() -> None:
    event = detected(ITEM).as_json("i" * 200, NOW)
    assert event.pop("metadata") == {"name": f"setscrew.{key_of(ITEM)[:32]}", "namespace": "shop"}
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2030-01-02T03:04:05.678000Z",
        "reportingController": "setscrew.dev/reconciler",
        "reportingInstance": "i" * 128,
        "action": "Compare",
        "reason": "DriftDetected",
        "type": "Warning",
        "regarding": {
            "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "u-1",
        },
        "note": "not as Git says: spec.p0, spec.p1, spec.p2 and 2 more; declared in deploy/web.yaml:12 of source shop "
        "at cccccccccccc; last written by dana (admission)",
    }  # fmt: skip


def test_the_same_difference_is_the_same_event_and_another_one_is_not() -> None:
    later = replace(ITEM, last_seen="2031-01-01T00:00:00Z", attribution=Attribution())
    assert detected(later).name == detected(ITEM).name
    assert detected(replace(ITEM, fingerprint="g")).name != detected(ITEM).name


def test_what_has_no_namespace_is_told_in_default() -> None:
    event = detected(replace(ITEM, namespace="", api_version="resource.k8s.io/v1", kind="DeviceClass"))
    told = event.as_json("i", NOW)
    assert told["metadata"]["namespace"] == "default"
    assert "namespace" not in told["regarding"]


@pytest.mark.parametrize(
    ("state", "words"),
    [("missing", "missing, though"), ("extra", "kind is exclusive"), ("orphaned", "Git declares it no longer")],
)
def test_each_state_has_words_of_its_own(state: Any, words: str) -> None:
    assert words in detected(replace(ITEM, state=state, changes=())).note


def test_a_finding_that_is_over_says_how_long_it_lasted() -> None:
    over = {**ITEM.as_json(), "firstSeen": "2030-01-01T00:00:00Z", "resolvedAt": "2030-01-02T00:00:00Z"}
    event = resolved(over, "u-1").as_json("i", NOW)
    assert (event["reason"], event["type"], event["regarding"]["uid"]) == ("DriftResolved", "Normal", "u-1")
    assert event["note"] == "over since 2030-01-02T00:00:00Z: it was drifted since 2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("more", "reason", "note"),
    [
        ({}, "OutOfBandChangeDenied", "update by dana refused (drift): /spec/replicas"),
        (
            {"allowed": True, "code": "audited", "would": "drift"},
            "OutOfBandChangeAllowed",
            "update by dana admitted (audited; would be refused as drift): /spec/replicas",
        ),
        (
            {"allowed": True, "code": "granted", "would": "drift", "grant": "g-1"},
            "BreakGlassUsed",
            "update by dana under grant g-1: /spec/replicas",
        ),
        (
            {"operation": "DELETE", "code": "delete", "paths": []},
            "OutOfBandChangeDenied",
            "delete by dana refused (delete)",
        ),
    ],
)
def test_a_decision_is_told_at_the_object_that_was_to_be_changed(more: Any, reason: str, note: str) -> None:
    event = of_decision(RECORD | more)
    assert event is not None
    assert (event.reason, event.note) == (reason, note)
    assert event.as_json("i", NOW)["regarding"] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web",
    }  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"allowed": True, "code": "conforms"},
        {"code": "internal-error"},
        {"code": "no-snapshot"},
        {"name": ""},
        {"kind": ""},
        {"code": "gap", "allowed": None},
    ],
)
def test_a_decision_that_says_nothing_about_an_object_is_not_told(more: Any) -> None:
    assert of_decision(RECORD | more) is None


def test_a_namespace_stands_in_no_namespace_although_the_api_server_says_so() -> None:
    event = of_decision(RECORD | {"group": "", "kind": "Namespace", "namespace": "shop", "name": "shop"})
    assert event is not None
    assert (event.namespace, event.regarding.namespace, event.regarding.api_version) == ("default", "", "v1")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("Ready", "SourceReady"),
        ("FetchFailed", "FetchFailed"),
        ("RefNotFound", "FetchFailed"),
        ("VerifyFailed", "VerificationFailed"),
        ("RenderFailed", "RenderFailed"),
        ("Pending", None),
        ("Suspended", None),
    ],
)
def test_a_source_is_told_where_it_is_followed_and_where_it_is_not(state: str, reason: str | None) -> None:
    event = of_source(
        {"name": "shop", "state": state, "attempted": "main@sha1:a", "enforced": "main@sha1:b", "message": "why"}
    )
    assert (event.reason if event else None) == reason
    if event:
        assert event.regarding.kind == "GitSource"
        assert event.namespace == "default"


def test_what_a_renderer_says_of_a_source_is_not_told_for_it_may_quote_a_secret() -> None:
    row = {"name": "shop", "state": "RenderFailed", "attempted": "main@sha1:a", "enforced": "", "message": PLAIN}
    event = of_source(row)
    assert event is not None
    assert PLAIN not in event.note
    assert event.note.startswith("main@sha1:a: RenderFailed")


def test_no_value_is_told_and_hostile_texts_are_one_printable_kilobyte() -> None:
    evil = "é\x1b[31m\n\u202e" * 400
    told = [
        detected(replace(ITEM, changes=(change(evil),) * 5, attribution=Attribution(user=evil))),
        of_decision(RECORD | {"user": evil, "paths": [{"path": evil, "want": PLAIN}] * 9}),
        of_source({"name": "shop", "state": "FetchFailed", "attempted": evil, "enforced": "", "message": evil}),
    ]
    for event in told:
        assert event is not None
        assert len(event.note.encode()) <= EVENT_NOTE_BYTES
        assert not {"\x1b", "\n", "\u202e"} & set(event.note)
        assert PLAIN not in json.dumps(event.as_json("i", NOW))
