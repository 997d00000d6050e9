"""The way of a request from a thread to the application and back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.limits import REVIEW_THREAD_BYTES, REVIEW_WIRE_BYTES
from tests.support import stub_admission as stub
from tests.support.admission import a_review
from webhook.decision.look import CURRENT, Look
from webhook.server import bridge as module
from webhook.server.app import AdmissionApp
from webhook.server.body import BodyBudget
from webhook.server.bridge import Bridge, head_of, read_body
from webhook.server.gathering import Gathering
from webhook.server.http import Head
from webhook.server.judge import Judge

HEAD = Head("POST", "/validate", "application/json")


async def refresh(_: float, source: str = "") -> Look:
    return CURRENT


def now() -> Head:
    return replace(HEAD, arrived=time.monotonic())


def body_of(**review: Any) -> bytes:
    return json.dumps(a_review(**review)).encode()


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture
def bridge(ended: list[str]) -> Iterator[Bridge]:
    recorder = SimpleNamespace(put=lambda _: None)
    judge = Judge(stub.StubFeed(), stub.decide, stub.decode, stub.encode, refresh, recorder, lambda: 1.0)
    one = Bridge(AdmissionApp(judge, last=lambda: ended.append("last")))
    one.start()
    yield one
    one.stop()
    assert ended == ["last"]


def test_a_review_is_judged_as_on_the_loop(bridge: Bridge) -> None:
    reply = bridge.answer(now(), body_of(uid="u1", verdict="deny"))
    response = json.loads(reply.body)["response"]
    assert (reply.status, response["uid"], response["allowed"]) == (200, "u1", False)


def test_a_body_of_which_only_the_beginning_was_kept_is_a_denial(bridge: Bridge) -> None:
    head = body_of(uid="u2").replace(b'"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", ', b"")[:200]
    response = json.loads(bridge.answer(now(), head, dropped=True).body)["response"]
    assert (response["uid"], response["allowed"]) == ("u2", False)


def test_a_loop_that_stands_still_is_not_waited_for(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEBHOOK_TIMEOUT_SECONDS", 0.05)
    reply = bridge.answer(now(), body_of(verdict="slow"))
    assert (reply.status, reply.close) == (503, True)


def test_time_counts_from_the_first_byte(bridge: Bridge) -> None:
    big = body_of(uid="late", more="x" * REVIEW_THREAD_BYTES)
    response = json.loads(bridge.answer(replace(HEAD, arrived=1.0), big).body)["response"]
    assert (response["uid"], response["allowed"]) == ("late", False)
    assert "in time" in response["status"]["message"]


@pytest.mark.parametrize(("uid", "dropped"), [("u3", False), ("u4", True)])
def test_a_request_is_refused_by_its_head_first(bridge: Bridge, uid: str, dropped: bool) -> None:
    body = body_of(uid=uid)
    assert bridge.answer(replace(now(), target="/elsewhere"), body, dropped=dropped).status == 404
    assert bridge.answer(replace(now(), length=REVIEW_WIRE_BYTES + 1), body, dropped=dropped).status == 413


def test_a_body_that_nobody_reads_tells_its_size() -> None:
    gathering = Gathering(BodyBudget().share())
    gathering.too_big, gathering.body = True, REVIEW_WIRE_BYTES + 7
    headers = [("TRANSFER-ENCODING", "chunked"), ("CONTENT-TYPE", "application/json"), ("CONTENT-TYPE", "text/plain")]
    request = SimpleNamespace(method="POST", uri="/validate?timeout=3s", headers=headers, body=None)
    connection: Any = SimpleNamespace(gathering=gathering, refusal="", arrived=1.5)
    head = head_of(request, connection)
    assert head == Head("POST", "/validate?timeout=3s", "application/json", REVIEW_WIRE_BYTES + 7, "", 1.5)
    assert read_body(request, gathering) == b""
