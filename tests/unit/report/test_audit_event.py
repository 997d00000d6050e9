"""Lines of an audit log: which writes nobody judged, which of them took effect, and that hostile text does no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.report.audit_event import AuditEvent, read_event

ENTRY = "apps-v1.guard.setscrew.dev"
OPENED = "failed-open.validating.webhook.admission.k8s.io/round_0_index_3"


def event(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a-1",
        "stage": "ResponseComplete", "requestURI": "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl",
        "verb": "patch", "userAgent": "kubectl/v1.36.0",
        "user": {"username": "dana", "groups": ["ops"]}, "sourceIPs": ["127.0.0.1"],
        "objectRef": {
            "resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "apiVersion": "v1"
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2030-01-02T12:00:00.123456Z", "stageTimestamp": "2030-01-02T12:00:00.223456Z",
        "annotations": {"authorization.k8s.io/decision": "allow", OPENED: ENTRY},
    } | changes  # fmt: skip


def read(**changes: Any) -> AuditEvent | None:
    return read_event(json.dumps(event(**changes)).encode())


def test_a_write_that_nobody_judged_says_who_what_and_when() -> None:
    found = read()
    assert found is not None
    assert (found.entries, found.stored) == ((ENTRY,), True)
    one = found.write
    assert one.agent == "kubectl/v1.36.0"
    assert (one.user, one.verb, one.group, one.resource, one.namespace, one.name, one.entry, one.status) == (
        "dana", "patch", "apps", "deployments", "shop", "web", ENTRY, 200,
    )  # fmt: skip
    assert (one.id, one.time) == ("a-1", "2030-01-02T12:00:00.123Z")


@pytest.mark.parametrize(
    "changes",
    [
        {"requestURI": "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=x&dryRun=All"},
        {"responseStatus": {"code": 409}},
        {"responseStatus": {}},
        {"verb": "delete", "requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}},
    ],
    ids=["dry-run", "conflict", "no answer", "dry-run delete"],
)
def test_what_took_no_effect_did_not_slip_through(changes: dict[str, Any]) -> None:
    found = read(**changes)
    assert found is not None
    assert found.entries == (ENTRY,)
    assert not found.stored


def test_webhooks_of_others_that_failed_open_are_none_of_ours() -> None:
    found = read(annotations={OPENED: "x.example.com", f"{OPENED}9": "guard.setscrew.dev.example.com"})
    assert found is not None
    assert found.entries == ()


def test_who_acted_in_the_place_of_another_is_named_too() -> None:
    found = read(impersonatedUser={"username": "tenant"})
    assert found is not None
    assert found.write.user == "tenant (by dana)"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        OPENED.encode(),
        json.dumps(event(stage="RequestReceived")).encode(),
        json.dumps(event(verb="get")).encode(),
        json.dumps(event(stageTimestamp="yesterday")).encode(),
        json.dumps(event(stageTimestamp="2030-01-02T12:00:00")).encode(),
        json.dumps(event(annotations={OPENED: 5})).encode(),
        json.dumps(event()).encode()[:-40],
        json.dumps(event()).encode().replace(b"dana", b"\xff\xfe"),
        b'{"annotations":' + f'{{"{OPENED}":'.encode() + b"[" * 100_000,
        json.dumps(event(annotations={"other": "x"})).encode(),
    ],
)
def test_a_line_that_tells_of_no_such_write_is_passed_over(line: bytes) -> None:
    assert read_event(line) is None


def test_texts_of_whoever_made_the_request_are_printable_and_cut() -> None:
    hostile = "\x1b]0;owned\x07\n" + "x" * 100_000
    found = read(user={"username": hostile}, objectRef={"resource": "configmaps", "name": hostile})
    assert found is not None
    assert len(found.write.user) <= 512
    assert len(found.write.name) <= 512
    assert (found.write.user + found.write.name).isprintable()
