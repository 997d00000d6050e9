"""Owns what the admission server answers to whom: routes, statuses, shedding, draining. Must not decide anything.

It knows neither sockets nor a protocol of frameworks: adapters (`protocol`, `bridge`) read requests and write replies.
Most answers are there at once; see docs/decisions/0015.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

from reconciler.errors import ReviewError
from reconciler.limits import (
    ADMISSION_REVIEWS,
    REFRESH_MARGIN_SECONDS,
    REVIEW_WIRE_BYTES,
    WEBHOOK_TIMEOUT_SECONDS,
)
from webhook.decision.review import NOT_JSON
from webhook.server.board import Seat
from webhook.server.body import Body, BodyBudget, too_large
from webhook.server.certificate import ServingCertificate
from webhook.server.client import UNKNOWN_CLIENT
from webhook.server.http import Head, Reply, problem, text, unavailable
from webhook.server.judge import Endpoint, Judge, NoSnapshotError

_LOG = logging.getLogger("setscrew.admission")
_NO_SNAPSHOT: Final = "no snapshot yet"
_HEALTH: Final = ("/healthz", "/readyz")
# An API server has a path for each entry and a query or two. What is longer names nothing of ours.
_TARGETS_KEPT: Final = 256
_TARGET_CHARS: Final = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names: whether reviews go there, of which version, and how long the API server waits."""

    path: str
    reviews: bool
    endpoint: Endpoint | None
    seconds: float


class AdmissionApp:
    """One for each worker. `background` runs beside the requests while the worker lives; `last` is called at its end.

    The board of `seat` shows all workers. While one is blocked none is ready: it holds connections of the API server.
    With `client_names` the head of a request says why its client may not ask. `certificate` is what the worker serves
    with, once it does.
    """

    def __init__(
        self,
        judge: Judge,
        background: tuple[Callable[[], Awaitable[object]], ...] = (),
        last: Callable[[], object] = lambda: None,
        seat: Seat | None = None,
        client_names: tuple[str, ...] = (),
    ) -> None:
        self._judge = judge
        self._background = background
        self._tasks: list[asyncio.Future[object]] = []
        self._last = last
        self.seat = seat or Seat()
        self.client_names = client_names
        self.certificate: ServingCertificate | None = None
        self.budget = BodyBudget()
        self.draining = False

    @property
    def reviews(self) -> int:
        """How many are in hand."""
        return self.budget.shares

    def start(self) -> None:
        """On the loop, before the first request."""
        self._tasks = [asyncio.ensure_future(work()) for work in self._background]

    def stop(self) -> None:
        """On the loop, after the last one."""
        for task in self._tasks:
            task.cancel()
        self._last()

    def drain(self) -> None:
        """From now on: not ready, and each answer ends its connection."""
        self.draining = True

    def shed(self) -> None:
        """Count a review that was refused with 503 before it came here."""
        self._judge.meter.replied(503)

    def refuse(self, head: Head) -> Reply | None:
        """What a request gets by its head alone, whatever its body; None for a review that is to be answered."""
        target = target_of(head.target)
        if target.reviews:
            reply = self._refusal(head)
            return reply and self._told(reply)
        if target.path not in _HEALTH:
            return problem(404, "there is no such path")
        if head.method not in {"GET", "HEAD"}:
            return _other_method("GET, HEAD")
        return text(200, b"ok") if target.path == "/healthz" else self._readiness()

    def body(self) -> Body:
        """Where the body of a request is to be gathered; give its share back once the request is answered."""
        return Body(self.budget.share())

    def answer(self, head: Head, body: bytes) -> Reply | Awaitable[Reply]:
        """The reply to a whole review that nothing was refused of: at once, unless it has to wait for something."""
        target = target_of(head.target)
        try:
            answer = self._judge.answer(body, target.endpoint, head.arrived + target.seconds)
        except (ReviewError, NoSnapshotError) as error:
            return self.failed(error)
        return self._told(Reply(200, answer)) if isinstance(answer, bytes) else self._waited(answer)

    async def _waited(self, answer: Awaitable[bytes]) -> Reply:
        try:
            return self._told(Reply(200, await answer))
        except (ReviewError, NoSnapshotError) as error:
            return self.failed(error)

    def failed(self, error: ReviewError | NoSnapshotError) -> Reply:
        """The status of a review that gets no verdict."""
        if isinstance(error, ReviewError):
            return self._told(problem(error.status, error.message, code=error.code, close=error.status in {413, 415}))
        return self._told(unavailable(_NO_SNAPSHOT))

    def late(self) -> Reply:
        """To a review whose body is not whole in time."""
        _LOG.warning("a review was not judged in time")
        return self._told(unavailable("not judged in time"))

    def unread(self, kept: bytes) -> Reply:
        """To a review of which only the beginning was kept.

        A refusal, since a status would admit under `Ignore` what anyone can bring about with a few big dry-runs.
        """
        try:
            return self._told(Reply(200, self._judge.unread(kept)))
        except ReviewError:
            return self._told(unavailable("too many large reviews at a time"))

    def _refusal(self, head: Head) -> Reply | None:
        if head.method != "POST":
            return _other_method("POST")
        if self.client_names and head.client:
            return problem(403, head.client, code=UNKNOWN_CLIENT)
        if self.budget.shares >= ADMISSION_REVIEWS:
            return unavailable("too many reviews at a time")
        if not _is_json(head.content_type):
            return problem(415, "the content type must be application/json", code=NOT_JSON, close=True)
        if self._judge.feed.current() is None:
            return unavailable(_NO_SNAPSHOT)
        if head.length > REVIEW_WIRE_BYTES:
            error = too_large()
            return problem(error.status, error.message, code=error.code, close=True)
        return None

    def _told(self, reply: Reply) -> Reply:
        """Count a reply at a path of reviews; while draining it is the last of its connection."""
        if reply.status != 200:
            self._judge.meter.replied(reply.status)
        return reply if not self.draining else replace(reply, close=True)

    def _readiness(self) -> Reply:
        if self.draining:
            return text(503, b"draining")
        if self._judge.feed.current() is None:
            return text(503, _NO_SNAPSHOT.encode())
        if self.certificate is not None and not self.certificate.valid_now():
            return text(503, b"the certificate is not valid now")
        if self.certificate is not None and not self.certificate.trusted():
            return text(503, b"the API server does not trust the certificate yet")
        blocked = self.seat.board.blocked(time.monotonic(), WEBHOOK_TIMEOUT_SECONDS)
        return text(503, b"a worker is blocked") if blocked else text(200, b"ok")


def target_of(target: str) -> Target:
    """What the target of a request's first line names."""
    return _target(target[:_TARGET_CHARS])


@lru_cache(_TARGETS_KEPT)
def _target(target: str) -> Target:
    try:
        parts = urlsplit(target)
    except ValueError:
        return Target("", False, None, 0.0)
    return Target(parts.path, *parse_path(parts.path), budget_seconds(parts.query))


def parse_path(path: str) -> tuple[bool, Endpoint | None]:
    """Whether `path` takes reviews, and what it names: `/validate`, or `/validate/<group>/<version>` (`core`: "")."""
    parts = path.split("/")
    if parts == ["", "validate"]:
        return True, None
    if len(parts) != 4 or parts[:2] != ["", "validate"] or not (parts[2] and parts[3]):
        return False, None
    return True, Endpoint("" if parts[2] == "core" else parts[2], parts[3])


def budget_seconds(query: str) -> float:
    """Seconds from arrival to answer: the API server's `?timeout=3s`, at most ours, less the margin of the way back."""
    given = parse_qs(query).get("timeout", [""])[0].removesuffix("s")
    whole = int(given) if given.isascii() and given.isdigit() and len(given) <= 4 else WEBHOOK_TIMEOUT_SECONDS
    return min(whole or WEBHOOK_TIMEOUT_SECONDS, WEBHOOK_TIMEOUT_SECONDS) - REFRESH_MARGIN_SECONDS


@lru_cache
def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _other_method(methods: str) -> Reply:
    return problem(405, "this path has other methods", headers=((b"allow", methods.encode()),))
