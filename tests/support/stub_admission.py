"""Owns a stub of everything around the admission server: a label of the object says how the stub decides.

`verdict: deny` is refused, `boom` raises, `slow` takes a second (or STUB_SLOW_SECONDS), `refresh` asks for a
refresh and is then refused; all else is allowed. So tests of the server hold whatever the decision becomes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import ReviewError
from reconciler.gpu.users.model import Census
from reconciler.model.tree import dig
from reconciler.policy.grant import Grant
from reconciler.policy.model import Rules
from reconciler.snapshot.model import MemorySnapshot, SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.types import Cause, Decision, Identity, Request, Trees
from webhook.decision.verdict import uncounted
from webhook.server.app import AdmissionApp
from webhook.server.board import Seat
from webhook.server.main import create_app, settings_of_process

SECRET = "do-not-log-this-value"
MESSAGE = "alice may not change Deployment.apps shop/web"
CAUSE = Cause("spec.replicas", "/spec/replicas", "held", "2", "3", "Git wants 2, the request says 3")


class StubFeed:
    """A snapshot that is there from the start, or (with a pointer) once the pointer exists."""

    def __init__(self, pointer: Path | None = None) -> None:
        self._pointer = pointer
        self.polls = 0
        self.published = 1_700_000_000.0
        self.problem = ""

    def current(self) -> SnapshotView | None:
        """An empty snapshot."""
        there = self._pointer is None or self._pointer.exists()
        return MemorySnapshot((), Rules(()), digest="d" * 64) if there else None

    def poll(self) -> None:
        """Count."""
        self.polls += 1


def decode(body: bytes) -> Request:
    """What the server needs of a review."""
    try:
        review = json.loads(body)
        request = review["request"]
        resource = request["resource"]
        old, new = request.get("oldObject"), request.get("object")
        return Request(
            request["uid"],
            resource["group"],
            resource["version"],
            resource["resource"],
            request["kind"]["kind"],
            request["operation"],
            Identity(request["userInfo"]["username"]),
            request.get("namespace", ""),
            request.get("name", ""),
            request.get("subResource", ""),
            Trees(new, old),
            bool(request.get("dryRun")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ReviewError("the body is no AdmissionReview", status=400) from error


def encode(uid: str, decision: Decision) -> bytes:
    """The review that answers `uid`."""
    return json.dumps(decision.response(uid)).encode()


def decide(
    request: Request,
    snapshot: SnapshotView | None,
    now: float,
    *,
    look: Look = NOT_ASKED,
    grants: Sequence[Grant] = (),
    census: Callable[[], Census | None] = uncounted,
) -> Decision:
    """See the module."""
    assert snapshot is not None
    assert now > 0
    verdict: Any = dig(request.object or request.old, "metadata", "labels", "verdict")
    if verdict == "boom":
        raise ValueError(SECRET)
    if verdict == "slow":
        time.sleep(float(os.environ.get("STUB_SLOW_SECONDS", "1")))
    if verdict == "refresh":
        return Decision(False, "drift" if look.asked else "extra", MESSAGE, needs_refresh=not look.asked)
    if verdict == "deny":
        return Decision(False, "drift", MESSAGE, (CAUSE,), guarded=True)
    return Decision(True, "conforms", audit={"code": "conforms"}, guarded=True)


def log_request(request: Request) -> None:
    """One line per review into the file that the environment names, so that tests see what arrived."""
    if path := os.environ.get("STUB_LOG"):
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(json.dumps([request.operation, request.resource, request.subresource, request.name]) + "\n")


def application(seat: Seat) -> AdmissionApp:
    """What gunicorn loads in tests."""

    def noted(body: bytes) -> Request:
        request = decode(body)
        log_request(request)
        return request

    time.sleep(float(os.environ.get("STUB_BOOT_SECONDS", "0")))
    settings = settings_of_process()
    return create_app(StubFeed(settings.pointer), decide, noted, encode, settings, seat)
