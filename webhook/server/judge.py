"""Owns the way of one review through decode, decide, refresh, record and encode. Must not know HTTP.

The decision itself is pure and given from outside; this module gives it a snapshot, the time and a deadline.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from reconciler.compare.mask import clean
from reconciler.errors import ReviewError, place
from reconciler.limits import REFRESH_MARGIN_SECONDS, REVIEW_THREAD_BYTES
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.raw import MALFORMED
from webhook.decision.raw import TOO_DEEP as TOO_DEEP_CODE
from webhook.decision.review import WRONG_PATH
from webhook.decision.types import Code, Decision, Request
from webhook.decision.verdict import uncounted
from webhook.server.documents import TooBigForLoopError
from webhook.server.memory import uncollected
from webhook.server.meter import NoMeter
from webhook.server.ports import Clock, Counted, Decide, Decode, Encode, Grants, Meter, Recorder, Refresh, SnapshotFeed
from webhook.server.record import decision_record, worth_recording
from webhook.server.threads import Threads

_LOG = logging.getLogger("setscrew.admission")


def _unjudged(code: Code, why: str) -> Decision:
    return Decision(allowed=False, code=code, message=f"setscrew {why}; no change is admitted unjudged [{code}]")


# The policy of an object that cannot be judged is not known, so the default of `undecidable` holds: Deny. Any HTTP
# status but 200 would admit the change under `failurePolicy: Ignore`, so who can bring one about is past the guard.
INTERNAL_ERROR = _unjudged("internal-error", "could not judge this request: an internal error (see its log)")
TOO_DEEP = _unjudged("undecidable", "cannot judge this object: it is nested too deeply")
LATE = _unjudged("undecidable", "could not judge this request in time")
BUSY = _unjudged("undecidable", "has too many large requests in hand to read this one")

# The API server writes the uid first, before anything that the requester can shape.
_UID = re.compile(rb'\A\s*\{[^{}]*"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')


class NoSnapshotError(Exception):
    """There is no snapshot to judge with yet."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the path of a registration entry names; None in `/validate` alone, which takes any version."""

    group: str
    version: str


class _Judged(NamedTuple):
    """A request, what it was judged with, and the verdict."""

    request: Request
    snapshot: SnapshotView | None
    decision: Decision


@dataclass(slots=True)
class Judge:
    """Judges reviews one after the other on the loop, big ones in a thread, few at a time."""

    feed: SnapshotFeed
    decide: Decide
    decode: Decode
    encode: Encode
    refresh: Refresh
    recorder: Recorder
    clock: Clock
    grants: Grants = tuple
    meter: Meter = field(default_factory=NoMeter)
    threads: Threads = field(default_factory=Threads)
    census: Counted = uncounted

    async def review(self, body: bytes, endpoint: Endpoint | None, deadline: float) -> bytes:
        """As `answer`, waited for."""
        answer = self.answer(body, endpoint, deadline)
        return answer if isinstance(answer, bytes) else await answer

    def answer(self, body: bytes, endpoint: Endpoint | None, deadline: float) -> bytes | Awaitable[bytes]:
        """The AdmissionReview that answers `body`: at once, unless it is big or a writer waits for a look at Git.

        `deadline` is in the loop's time. Raises ReviewError for a malformed review, NoSnapshotError where there is
        nothing to judge with yet.
        """
        # Not the loop's time: uvloop stops it while it runs a callback, and counts milliseconds.
        began = time.perf_counter()
        if self.feed.current() is None:
            raise NoSnapshotError
        if len(body) > REVIEW_THREAD_BYTES:
            return self._waited(body, endpoint, deadline, began)
        try:
            judged = self._judged(body, endpoint)
        except TooBigForLoopError:
            return self._waited(body, endpoint, deadline, began)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a verdict, never a stack trace
            return self._failed(body, error, began)
        if judged.decision.needs_refresh:
            return self._waited(body, endpoint, deadline, began, judged)
        return self._answered(judged, began)

    def unread(self, head: bytes) -> bytes:
        """The denial of a review of which only the beginning was kept. Raises ReviewError where that has no uid."""
        return self._refusal(head, BUSY, MemoryError())

    async def _waited(
        self, body: bytes, endpoint: Endpoint | None, deadline: float, began: float, judged: _Judged | None = None
    ) -> bytes:
        big = judged is None
        try:
            if judged is None:
                judged = await self._in_thread(partial(self._judged, body, endpoint), deadline)
            if judged.decision.needs_refresh:
                judged = await self._after_look(judged, big, deadline)
        except Exception as error:  # noqa: BLE001 - as in `answer`
            return self._failed(body, error, began)
        return self._answered(judged, began)

    def _judged(self, body: bytes, endpoint: Endpoint | None) -> _Judged:
        request = self.decode(body)
        _check_endpoint(request, endpoint)
        return self._decided(request, NOT_ASKED)

    def _decided(self, request: Request, look: Look) -> _Judged:
        snapshot = self.feed.current()
        try:
            decision = self.decide(request, snapshot, self.clock(), look=look, grants=self.grants(), census=self.census)
        except (ReviewError, TooBigForLoopError):
            raise  # the objects are read only when the decision looks at them
        except Exception as error:  # noqa: BLE001 - as in `answer`, with the uid at hand
            _LOG.error("review %.64r: the decision failed: %s", request.uid, place(error))
            decision = INTERNAL_ERROR
        return _Judged(request, snapshot, decision)

    async def _after_look(self, judged: _Judged, big: bool, deadline: float) -> _Judged:
        snapshot = judged.snapshot
        since = {name: source.commit for name, source in snapshot.sources.items()} if snapshot else {}
        # Only the source that declares the object can explain the write; any may come to declare a new one.
        source = judged.decision.audit.get("source", "")
        look = await self.refresh(deadline - asyncio.get_running_loop().time(), source)
        again = partial(self._decided, judged.request, replace(look, since=since))
        if not big:
            try:
                return again()
            except TooBigForLoopError:
                pass
        return await self._in_thread(again, deadline + REFRESH_MARGIN_SECONDS / 2)

    async def _in_thread(self, work: Callable[[], _Judged], deadline: float) -> _Judged:
        async with asyncio.timeout_at(deadline):
            await self.threads.acquire()
            thread = asyncio.ensure_future(asyncio.to_thread(uncollected, work))
            thread.add_done_callback(self._thread_done)
            return await asyncio.shield(thread)

    def _thread_done(self, thread: asyncio.Future[_Judged]) -> None:
        # A thread outlives the review that ran out of time, so its place is free only now.
        self.threads.release()
        if not thread.cancelled():
            thread.exception()

    def _answered(self, judged: _Judged, began: float) -> bytes:
        request, snapshot, decision = judged
        seconds = time.perf_counter() - began
        if worth_recording(request, decision):
            self._record(request, snapshot, decision, seconds)
        self.meter.decided(decision, seconds)
        return self._encoded(request.uid, decision)

    def _failed(self, body: bytes, error: Exception, began: float) -> bytes:
        """Instead of a verdict: a denial that says so. Raises ReviewError where it need not be one."""
        decision = LATE if isinstance(error, TimeoutError) else INTERNAL_ERROR
        if isinstance(error, ReviewError):
            decision = _unreadable(error)
        return self._refusal(body, decision, error, time.perf_counter() - began)

    def _refusal(self, body: bytes, decision: Decision, error: Exception, seconds: float = 0.0) -> bytes:
        """The denial of a review that could not be read or judged; raises ReviewError where it has no uid."""
        found = _UID.match(body[:1024])
        if not found:
            raise error if isinstance(error, ReviewError) else ReviewError("the review cannot be read") from None
        uid = found[1].decode("ascii")
        _LOG.error("review %s: %s: %s", uid, decision.code, place(error))
        self.meter.decided(decision, seconds)
        return self.encode(uid, decision)

    def _encoded(self, uid: str, decision: Decision) -> bytes:
        try:
            return self.encode(uid, decision)
        except Exception as error:  # noqa: BLE001 - as in `answer`
            _LOG.error("review %.64r: the answer could not be written: %s", uid, place(error))
            return self.encode(uid, INTERNAL_ERROR)

    def _record(self, request: Request, snapshot: SnapshotView | None, decision: Decision, seconds: float) -> None:
        try:
            self.recorder.put(decision_record(request, decision, snapshot, self.clock(), seconds))
        except Exception as error:  # noqa: BLE001 - a record that fails must not fail the review
            _LOG.error("review %.64r: not recorded: %s", request.uid, place(error))


def _unreadable(error: ReviewError) -> Decision:
    """The denial of a review that could not be read. Raises `error` where no requester can bring it about."""
    if error.code == TOO_DEEP_CODE:
        return TOO_DEEP
    if error.code == MALFORMED:
        return _unjudged("undecidable", f"cannot read this review: {clean(error.message, limit=300)}")
    raise error


def _check_endpoint(request: Request, endpoint: Endpoint | None) -> None:
    if endpoint and (request.group, request.version) != (endpoint.group, endpoint.version):
        raise ReviewError("the review is of another group and version than the path", code=WRONG_PATH)
