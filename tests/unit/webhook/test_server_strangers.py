"""Holds whom the application answers where client certificates are pinned, and when its own makes it unready."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import stub_admission as stub
from webhook.decision.look import CURRENT, Look
from webhook.server.app import AdmissionApp
from webhook.server.certificate import ServingCertificate
from webhook.server.client import NO_CERTIFICATE, WRONG_NAME
from webhook.server.http import Head, Reply
from webhook.server.judge import Judge


class Nobody:
    """Takes records, and counts replies that are no decisions."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def put(self, record: dict[str, object]) -> None:
        """Forget it."""

    def decided(self, *_: object) -> None:
        """Forget it."""

    def replied(self, status: int) -> None:
        """Keep it."""
        self.statuses.append(status)


async def refresh(seconds: float, source: str = "") -> Look:
    return CURRENT


def app(meter: Nobody, names: tuple[str, ...] = ("apiserver",)) -> AdmissionApp:
    feed, clock = stub.StubFeed(), (lambda: 1.0)
    judge = Judge(feed, stub.decide, stub.decode, stub.encode, refresh, Nobody(), clock, meter=meter)
    return AdmissionApp(judge, client_names=names)


def ask(one: AdmissionApp, path: str, method: str = "POST", **noted: Any) -> tuple[int, bytes]:
    """Status and body."""
    head = Head(method, path, "application/json", **noted)
    reply = one.refuse(head) or one.answer(head, b"{}")
    assert isinstance(reply, Reply)
    return reply.status, reply.body


@pytest.mark.parametrize("path", ["/validate", "/validate/apps/v1"])
@pytest.mark.parametrize(
    ("noted", "says"),
    [({"client": NO_CERTIFICATE}, NO_CERTIFICATE), ({"client": WRONG_NAME}, WRONG_NAME), ({}, NO_CERTIFICATE)],
)
def test_a_stranger_gets_403_with_a_code(path: str, noted: dict[str, str], says: str) -> None:
    """Also where an adapter has forgotten to look."""
    meter = Nobody()
    status, body = ask(app(meter), path, **noted)
    assert (status, meter.statuses) == (403, [403])
    problem = json.loads(body)
    assert (problem["detail"], problem["code"]) == (says, "SS5007")
    assert body.count(b"\n") == 1


def test_a_known_client_is_answered() -> None:
    assert ask(app(Nobody()), "/validate", client="")[0] == 400


def test_health_is_told_to_anyone() -> None:
    for path in ("/healthz", "/readyz"):
        assert ask(app(Nobody()), path, "GET", client=NO_CERTIFICATE)[0] == 200


def test_without_pinned_names_nobody_is_a_stranger() -> None:
    assert ask(app(Nobody(), ()), "/validate", client=NO_CERTIFICATE)[0] == 400


class Ended(ServingCertificate):
    """One whose time is over."""

    def __init__(self) -> None:
        """Without files."""

    def valid_now(self) -> bool:
        """Never."""
        return False


def test_with_a_certificate_that_no_client_accepts_it_lives_and_is_not_ready() -> None:
    one = app(Nobody())
    one.certificate = Ended()
    assert ask(one, "/healthz", "GET")[0] == 200
    assert ask(one, "/readyz", "GET") == (503, b"the certificate is not valid now")
