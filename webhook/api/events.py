"""Owns `/api/v1/events`: a stream of what happens to findings, for as long as somebody listens. Must not note anything.

A stream holds a thread of this server, so there are few at once and each ends after a while: whoever listens comes
again with the id of the last event, with rights that are looked at anew, and misses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from flask import Blueprint, Response, current_app, request

from reconciler.errors import StoreError
from reconciler.limits import API_STREAM_BEAT_SECONDS, API_STREAM_LOOK_SECONDS, API_STREAMS, REPORT_PAGE
from reconciler.model.instant import stamp
from reconciler.report.moment import Mark, Moment, Moments, beat, is_known, parse_mark, told
from webhook.api.access import Scope, scope
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem
from webhook.api.report import known_only

PARAMETERS: Final = ("since",)
MEDIA_TYPE: Final = "text/event-stream"
# Where the listener says that the process is about to end.
ENDING: Final = "ENDING"
# A place behind all moments: what there is of them is told, and none is read.
_NONE_AFTER: Final = 2**62
_FULL: Final = f"{API_STREAMS} streams are open, which is all there may be"
_FULL_SECONDS: Final = "30"
_RETRY: Final = "retry: 3000\n\n"
_LOST: Final = "what has happened since then is not known here any more: read /api/v1/drift anew"


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """Its one route."""
    routes = Blueprint("events", __name__, url_prefix="/api/v1/events")
    routes.add_url_rule("", "events", _Events(state, settings).events)
    return routes


@dataclass(frozen=True, slots=True)
class _Events:
    state: ApiState
    settings: ApiSettings
    free: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(API_STREAMS))

    def events(self) -> Response:
        """What has happened since then, if anything is said of that, and what happens from now on."""
        since, mine = _since(known_only(PARAMETERS).get("since")), scope()
        epoch, now = self.state.epoch(), stamp(self.settings.now())
        begin = self.state.moments(_NONE_AFTER, 1)
        lost = since is not None and not is_known(since, epoch, begin)
        mark = since if since and not lost else Mark(epoch, begin.newest)
        first = told("reset", mark, {"time": now, "reason": _LOST}) if lost else told("ready", mark, {"time": now})
        if request.method == "HEAD":  # whose body nobody makes, nor ends
            return Response(content_type=MEDIA_TYPE)
        if not self.free.acquire(blocking=False):
            raise Problem(503, _FULL, headers={"Retry-After": _FULL_SECONDS})
        ending: Callable[[], bool] = current_app.config.get(ENDING, bool)
        stream = Stream(self.state.moments, mine, self.settings.stream_seconds, ending)
        response = Response(_text(_RETRY + first, stream.after(mark)), content_type=f"{MEDIA_TYPE}; charset=utf-8")
        response.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response.call_on_close(self.free.release)
        return response


@dataclass(frozen=True, slots=True)
class Stream:
    """What one listener is told, for so many seconds; `mine` are the namespaces that he may read."""

    read: Callable[[int, int], Moments]
    mine: Scope
    seconds: float
    ending: Callable[[], bool] = bool
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def after(self, mark: Mark) -> Iterator[str]:
        """Events as text, and a sign of life between them; it ends early where the store cannot be read."""
        end, said = self.clock() + self.seconds, self.clock()
        while not self.ending():
            try:
                page = self.read(mark.seq, REPORT_PAGE)
            except StoreError:
                return  # who comes again is told
            seen = [told(one.event, replace(mark, seq=one.seq), one.as_json()) for one in page.found if self._may(one)]
            mark = replace(mark, seq=page.last)
            if seen or self.clock() >= said + API_STREAM_BEAT_SECONDS:
                yield "".join(seen) or beat(mark)
                said = self.clock()
            if page.last >= page.newest:
                if self.clock() >= end:
                    return
                self.pause(API_STREAM_LOOK_SECONDS)

    def _may(self, one: Moment) -> bool:
        return self.mine is None or (one.namespace is not None and one.namespace in self.mine)


def _text(first: str, more: Iterator[str]) -> Iterator[str]:
    yield first
    yield from more


def _since(asked: str | None) -> Mark | None:
    """Where a listener has come to: what he was told last goes before what he asked for first. Raises Problem 400."""
    last = request.headers.get("Last-Event-ID")
    if last:
        return parse_mark(last) or Mark("", 0)
    if asked is None:
        return None
    mark = parse_mark(asked)
    if mark is None:
        raise Problem(400, "parameter 'since' must be the id of an event, such as 3f9a1c2e-1204")
    return mark
