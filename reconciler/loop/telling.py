"""Owns telling the cluster's people: what was found, refused, let pass or broken becomes Events, and is counted.

A thread of its own writes, so that no pass waits for an API server; what it cannot write in time is dropped, never
queued without end. Must not find anything, nor word it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from reconciler.cluster.events import EventSink
from reconciler.errors import SetscrewError, place
from reconciler.limits import (
    EVENT_LOOK_SECONDS,
    EVENT_NAMED_SECONDS,
    EVENT_SECONDS,
    EVENTS_PER_SECOND,
    EVENTS_QUEUED,
    EVENTS_REMEMBERED,
)
from reconciler.model.instant import stamp
from reconciler.report import event
from reconciler.report.drift import DriftItem
from reconciler.report.event import ClusterEvent
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.renaming import read_items
from reconciler.store.sources import read_sources
from reconciler.store.state import State
from reconciler.store.totals import count_on, departures_after

# Source states that are told also where they stood when this process began.
_BROKEN: Final = frozenset({"FetchFailed", "VerificationFailed", "RenderFailed"})


@dataclass(slots=True)
class _Told:
    """When something was told (seconds), and how often it has happened since. What lasts is no repeat: no `event`."""

    at: float
    event: ClusterEvent | None = None
    more: int = 0


@dataclass(slots=True)
class Telling:
    """Without a `sink` it only counts. `told` may be called by any thread; `run` is for one of its own.

    `now` reads the time, `clock` is a monotonic one in seconds.
    """

    state: State
    sink: EventSink | None
    say: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, _Told] = field(default_factory=dict)
    _queue: deque[tuple[ClusterEvent, int]] = field(default_factory=deque)
    _nameless: dict[str, tuple[float, DriftItem]] = field(default_factory=dict)
    _uids: dict[str, str] = field(default_factory=dict)
    _decisions: int | None = None
    _sources: dict[str, str] | None = None
    _failed: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self, items: Sequence[DriftItem], snapshot: MemorySnapshot, now: datetime) -> None:  # noqa: ARG002 - the hook's
        """Take what a pass or a watch event has stored. An Event of what lasts is written anew each hour."""
        if self.sink is None:
            return
        with self._lock:
            for item in items:
                if item.state in event.DRIFT:
                    self._uids[item.id] = item.uid
                    # What finds no room now is offered again by the next pass.
                    if len(self._queue) + len(self._nameless) < EVENTS_QUEUED and event.key_of(item) not in self._told:
                        self._detected(item)

    def run(self, stop: threading.Event) -> None:
        """Count and write until `stop` is set."""
        looked = float("-inf")
        while not stop.wait(1 / EVENTS_PER_SECOND):
            if self.clock() - looked >= EVENT_LOOK_SECONDS:
                self._step(self.look)
                looked = self.clock()
            self._step(self.send)

    def look(self) -> None:
        """Count what has happened, and take it up with decisions and sources. Raises StoreError."""
        over = count_on(self.state, stamp(self.now()))
        if self.sink is None:
            return
        departures = self._departures()
        sources = self._changed_sources()
        found = self._named({str(finding["id"]) for finding in over})
        with self._lock:
            for item in found:
                self._offer(event.detected(item))
            for finding in over:
                self._offer(event.resolved(finding, self._uids.pop(str(finding["id"]), "")))
            for one in departures:
                self._offer(one, again=True)
            for one in sources:
                self._offer(one)
            self._renew()

    def send(self) -> None:
        """Write the one Event that has waited longest, if any does."""
        with self._lock:
            waiting = self._queue.popleft() if self._queue else None
        if waiting is not None and self.sink is not None:
            self.sink.send(*waiting, self.now())

    def _detected(self, item: DriftItem) -> None:
        key = event.key_of(item)
        if item.attribution.user:
            self._nameless.pop(key, None)
            self._offer(event.detected(item))
        else:
            self._nameless.setdefault(key, (self.clock(), item))

    def _named(self, over: Collection[str]) -> list[DriftItem]:
        """Findings that have waited long enough for a name, or are `over` by id: as they are known now."""
        due = self.clock() - EVENT_NAMED_SECONDS
        with self._lock:
            keys = [key for key, (at, item) in self._nameless.items() if at <= due or item.id in over]
            waited = [self._nameless.pop(key)[1] for key in keys]
        now = {event.key_of(item): item for item in read_items(self.state, [item.id for item in waited])}
        return [now.get(event.key_of(item), item) for item in waited]

    def _departures(self) -> list[ClusterEvent]:
        """Events of decisions since the last look; the first one only sees where the record ends."""
        records, self._decisions = departures_after(self.state, self._decisions)
        return [one for record in records if (one := event.of_decision(record)) is not None]

    def _changed_sources(self) -> list[ClusterEvent]:
        rows = read_sources(self.state)
        before, self._sources = self._sources, {str(row["name"]): str(row["state"]) for row in rows}
        changed = (row for row in rows if (before or {}).get(str(row["name"])) != row["state"])
        found = [one for row in changed if (one := event.of_source(row)) is not None]
        return [one for one in found if before is not None or one.reason in _BROKEN]

    def _offer(self, one: ClusterEvent, *, again: bool = False) -> None:
        """Queue it unless it was told within the hour; `again`: then count that it happened once more."""
        known = self._told.get(one.key)
        if known is not None:
            known.more += again
        elif len(self._queue) < EVENTS_QUEUED and len(self._told) < EVENTS_REMEMBERED:
            self._told[one.key] = _Told(self.clock(), one if again else None)
            self._queue.append((one, 1))

    def _renew(self) -> None:
        """Forget what was told an hour ago; what has happened again since then is told as a series."""
        ended = self.clock() - EVENT_SECONDS
        for key, known in _while(self._told, ended):
            del self._told[key]
            if known.event is not None and known.more:
                self._told[key] = _Told(self.clock(), known.event)
                self._queue.append((known.event, known.more))

    def _step(self, work: Callable[[], Any]) -> None:
        failed = ""
        try:
            work()
        except SetscrewError as error:
            failed = str(error)
        except Exception as error:  # noqa: BLE001 - one bad record must not end the telling
            failed = f"an Event could not be told: {place(error)}"
        if failed and failed != self._failed:
            self.say(failed)
        self._failed = failed or self._failed


def _while(told: dict[str, _Told], ended: float) -> Iterable[tuple[str, _Told]]:
    """Those that were told before; the oldest stand first."""
    found = []
    for key, known in told.items():
        if known.at > ended:
            break
        found.append((key, known))
    return found
