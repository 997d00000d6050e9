"""Owns the way of one review through decode, decide, refresh, record and encode. Must not know HTTP.

The decision itself is pure and given from outside; this module gives it a snapshot, the time and a deadline.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.compare.mask import clean
from reconciler.errors import ReviewError, place
from reconciler.limits import REFRESH_MARGIN_SECONDS, REVIEW_THREAD_BYTES, REVIEW_THREADS
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.review import MALFORMED, WRONG_PATH
from webhook.decision.review import TOO_DEEP as TOO_DEEP_CODE
from webhook.decision.types import Code, Decision, Request
from webhook.server.ports import Clock, Decide, Decode, Encode, Grants, Recorder, Refresh, SnapshotFeed
from webhook.server.record import decision_record, worth_recording

_LOG = logging.getLogger("setscrew.admission")
_Result = TypeVar("_Result")


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
    threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REVIEW_THREADS))

    async def review(self, body: bytes, endpoint: Endpoint | None, deadline: float) -> bytes:
        """The AdmissionReview that answers `body`. `deadline` is in the loop's time.

        Raises ReviewError for a malformed review, NoSnapshotError where there is nothing to judge with yet.
        """
        began = asyncio.get_running_loop().time()
        big = len(body) > REVIEW_THREAD_BYTES
        if self.feed.current() is None:
            raise NoSnapshotError
        try:
            request = await self._run(lambda: self.decode(body), big, deadline)
            _check_endpoint(request, endpoint)
            snapshot, decision = await self._decision(request, big, deadline)
        except TimeoutError as error:
            return self._refusal(body, LATE, error)
        except ReviewError as error:
            return self._refusal(body, _unreadable(error), error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a verdict, never a stack trace
            return self._refusal(body, INTERNAL_ERROR, error)
        self._record(request, snapshot, decision, began)
        return self._encoded(request.uid, decision)

    def unread(self, head: bytes) -> bytes:
        """The denial of a review of which only the beginning was kept. Raises ReviewError where that has no uid."""
        return self._refusal(head, BUSY, MemoryError())

    async def _decision(self, request: Request, big: bool, deadline: float) -> tuple[SnapshotView | None, Decision]:
        snapshot = self.feed.current()
        decision = await self._guarded(request, snapshot, big, deadline, NOT_ASKED)
        if not decision.needs_refresh:
            return snapshot, decision
        since = {name: source.commit for name, source in snapshot.sources.items()} if snapshot else {}
        # Only the source that declares the object can explain the write; any may come to declare a new one.
        source = decision.audit.get("source", "")
        look = await self.refresh(deadline - asyncio.get_running_loop().time(), source)
        snapshot = self.feed.current()
        final = deadline + REFRESH_MARGIN_SECONDS / 2
        return snapshot, await self._guarded(request, snapshot, big, final, replace(look, since=since))

    async def _guarded(
        self, request: Request, snapshot: SnapshotView | None, big: bool, deadline: float, look: Look
    ) -> Decision:
        def judged() -> Decision:
            try:
                return self.decide(request, snapshot, self.clock(), look=look, grants=self.grants())
            except Exception as error:  # noqa: BLE001 - as in `review`, with the uid at hand
                _LOG.error("review %.64r: the decision failed: %s", request.uid, place(error))
                return INTERNAL_ERROR

        return await self._run(judged, big, deadline)

    async def _run(self, work: Callable[[], _Result], big: bool, deadline: float) -> _Result:
        if not big:
            return work()
        async with asyncio.timeout_at(deadline):
            await self.threads.acquire()
            thread = asyncio.ensure_future(asyncio.to_thread(work))
            thread.add_done_callback(self._thread_done)
            return await asyncio.shield(thread)

    def _thread_done(self, thread: asyncio.Future[_Result]) -> None:
        # A thread outlives the review that ran out of time, so its place is free only now.
        self.threads.release()
        if not thread.cancelled():
            thread.exception()

    def _refusal(self, body: bytes, decision: Decision, error: Exception) -> bytes:
        """The denial of a review that could not be read or judged; raises ReviewError where it has no uid."""
        found = _UID.match(body[:1024])
        if not found:
            raise error if isinstance(error, ReviewError) else ReviewError("the review cannot be read") from None
        uid = found[1].decode("ascii")
        _LOG.error("review %s: %s: %s", uid, decision.code, place(error))
        return self.encode(uid, decision)

    def _encoded(self, uid: str, decision: Decision) -> bytes:
        try:
            return self.encode(uid, decision)
        except Exception as error:  # noqa: BLE001 - as in `review`
            _LOG.error("review %.64r: the answer could not be written: %s", uid, place(error))
            return self.encode(uid, INTERNAL_ERROR)

    def _record(self, request: Request, snapshot: SnapshotView | None, decision: Decision, began: float) -> None:
        if not worth_recording(request, decision):
            return
        latency = asyncio.get_running_loop().time() - began
        try:
            self.recorder.put(decision_record(request, decision, snapshot, self.clock(), latency))
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
