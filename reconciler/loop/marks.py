"""Owns which objects are to be looked at, since when, and when. Must not look. Times are monotonic seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from math import inf

from reconciler.limits import DETECT_AT_ONCE
from reconciler.model.ref import ObjectRef


@dataclass(frozen=True, slots=True)
class _Mark:
    since: float
    due: float


@dataclass(slots=True)
class Marks:
    """An object that is marked again is due by the newer mark. Safe to share between threads."""

    clock: Callable[[], float] = time.monotonic
    _marks: dict[ObjectRef, _Mark] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mark(self, refs: Iterable[ObjectRef], wait: float = 0.0) -> None:
        """These are to be looked at after `wait` seconds."""
        now = self.clock()
        with self._lock:
            self._marks |= {ref: _Mark(now, now + wait) for ref in refs}

    def take(self) -> Collection[ObjectRef]:
        """Those that are due, the longest first, but not too many; they are marked no longer."""
        now = self.clock()
        with self._lock:
            due = sorted((mark.due, ref) for ref, mark in self._marks.items() if mark.due <= now)[:DETECT_AT_ONCE]
            for _, ref in due:
                del self._marks[ref]
        return {ref for _, ref in due}

    def forget(self, before: float) -> None:
        """Whatever was marked before was looked at otherwise."""
        with self._lock:
            self._marks = {ref: mark for ref, mark in self._marks.items() if mark.since >= before}

    @property
    def oldest(self) -> float:
        """Since when something is to be looked at; now where nothing is."""
        with self._lock:
            return min((mark.since for mark in self._marks.values()), default=self.clock())

    @property
    def wait(self) -> float:
        """Seconds until the first is due."""
        with self._lock:
            return max(0.0, min((mark.due for mark in self._marks.values()), default=inf) - self.clock())
