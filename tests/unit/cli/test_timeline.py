"""A timeline tells each thing that happened once, oldest first, and by what it is known."""

from __future__ import annotations

from typing import Any

from setscrew.timeline import timeline

DECISION: dict[str, Any] = {
    "time": "2030-01-02T03:04:05.250Z",
    "uid": "u1",
    "user": "dana",
    "operation": "UPDATE",
    "subresource": "",
    "allowed": True,
    "code": "audited",
    "would": "drift",
    "grant": "",
    "paths": [{"path": "/spec/replicas", "was": "3", "now": "5"}],
}
CHANGE: dict[str, Any] = {
    "path": "/spec/replicas",
    "user": "dana",
    "manager": "kubectl-edit",
    "operation": "Update",
    "time": "2030-01-02T03:04:05Z",
}
FINDING: dict[str, Any] = {
    "state": "drifted",
    "changes": [CHANGE],
    "attribution": {"user": "dana", "manager": "kubectl-edit", "requestUID": "u1", "confidence": "admission"},
}


def test_a_recorded_write_is_told_once_with_the_manager_that_the_finding_knows() -> None:
    (one,) = timeline([FINDING], [], [DECISION])
    assert (one.event, one.user, one.manager, one.code, one.paths) == (
        *("warned", "dana", "kubectl-edit", "drift"),
        ("/spec/replicas",),
    )
    assert one.confidence == "admission"


def test_what_only_managed_fields_know_is_told_by_writer_and_time() -> None:
    changes = [
        {**CHANGE, "user": "", "manager": "tool", "path": path, "time": time}
        for path, time in (("/data/a", "2030-01-01T00:00:00Z"), ("/data/b", "2030-01-01T00:00:00Z"), ("/data/c", ""))
    ]
    found = timeline([{"changes": changes, "attribution": {"confidence": "managedFields", "manager": "tool"}}], [], [])
    assert [(one.event, one.user, one.manager, one.paths, one.confidence) for one in found] == [
        ("written", "", "tool", ("/data/a", "/data/b"), "managedFields")
    ]


def test_a_write_that_passed_the_guard_by_is_known_by_the_audit_log() -> None:
    by = {"user": "erin", "confidence": "audit", "userAgent": "curl/8", "auditID": "a1", "time": "t", "verb": "delete"}
    changed = {**FINDING, "attribution": by, "changes": [{**CHANGE, "user": "erin"}]}
    for finding in (changed, {**FINDING, "attribution": by, "changes": []}):
        (one,) = timeline([finding], [], [])
        assert (one.event, one.user, one.user_agent, one.audit_id, one.confidence) == (
            *("written", "erin", "curl/8", "a1", "audit"),
        )


def test_refusals_and_grants_are_told_apart_and_all_is_in_order() -> None:
    denied = {
        **DECISION,
        "allowed": False,
        "code": "drift",
        "would": "",
        "time": "2030-01-02T03:04:04.000Z",
        "uid": "u0",
    }
    granted = {**DECISION, "grant": "g1", "time": "2030-01-02T03:05:00.000Z", "uid": "u2", "subresource": "scale"}
    free = {**DECISION, "would": "", "code": "metadata", "time": "2030-01-02T03:06:00.000Z", "uid": "u3", "paths": []}
    gap = {"code": "gap", "lost": 3}
    history = [
        {"event": "detected", "time": "2030-01-02T03:04:06Z", "who": "dana", "paths": ["/spec/replicas"]},
        {"event": "resolved", "time": "2030-01-02T03:07:00Z", "who": "dana", "code": "in-sync"},
        {"event": "resolved", "time": "2030-01-02T03:08:00Z"},
    ]
    found = timeline([FINDING], history, [free, granted, DECISION, denied, gap])
    assert [one.event for one in found] == [
        *("denied", "warned", "detected", "granted", "allowed", "resolved", "resolved"),
    ]
    assert (found[3].grant, found[3].verb, found[2].detail) == ("g1", "update/scale", "by dana")
    assert [one.detail for one in found[5:]] == ["in-sync; was by dana", ""]


def test_a_refused_write_of_the_path_does_not_hide_who_really_wrote_it() -> None:
    denied = {**DECISION, "allowed": False}
    later = {**CHANGE, "time": "2030-01-02T04:00:00Z"}
    found = timeline([{**FINDING, "changes": [later]}], [], [denied])
    assert [one.event for one in found] == ["denied", "written"]


def test_the_json_has_the_spelling_of_the_report() -> None:
    (one,) = timeline([FINDING], [], [DECISION])
    assert one.as_json()["requestUID"] == "u1"
    assert set(one.as_json()) == {
        *("time", "event", "user", "manager", "userAgent", "verb", "paths", "confidence", "code", "grant", "detail"),
        *("requestUID", "auditID"),
    }
