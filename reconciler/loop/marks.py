"""Owns which objects are to be looked at, since when, and when. Must not look. Times are monotonic seconds."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf

from reconciler.limits import DETECT_AT_ONCE, DETECT_NEWEST, DETECT_ONE_BY_ONE, DETECT_STORED
from reconciler.model.ref import ObjectRef


@dataclass(frozen=True, slots=True)
class Mark:
    """`since` then nobody knows how the object is, `last` it was marked again, `due` it is to be looked at."""

    since: float
    last: float
    due: float


@dataclass(slots=True)
class Marks:
    """Marked again, an object is due by the newer mark, and unknown since the older. Safe to share between threads."""

    clock: Callable[[], float] = time.monotonic
    _marks: dict[ObjectRef, Mark] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mark(self, refs: Iterable[ObjectRef], wait: float = 0.0) -> None:
        """These are to be looked at after `wait` seconds."""
        now, wanted = self.clock(), list(refs)
        with self._lock:
            for ref in wanted:
                known = self._marks.get(ref)
                self._marks[ref] = Mark(known.since if known else now, now, now + wait)

    def take(self) -> Mapping[ObjectRef, Mark]:
        """Those that are due, the longest and the newest, but not too many; they are marked no longer."""
        now = self.clock()
        with self._lock:
            due = [ref for _, ref in sorted((mark.due, ref) for ref, mark in self._marks.items() if mark.due <= now)]
            if len(due) > DETECT_AT_ONCE:
                due[DETECT_AT_ONCE - DETECT_NEWEST : -DETECT_NEWEST] = []
            return {ref: self._marks.pop(ref) for ref in due}

    def again(self, taken: Mapping[ObjectRef, Mark], wait: float) -> None:
        """What was taken was not seen: it is still to be looked at, in `wait` seconds or as it was marked meanwhile."""
        due = self.clock() + wait
        with self._lock:
            for ref, mark in taken.items():
                newer = self._marks.get(ref, replace(mark, due=due))
                self._marks[ref] = replace(newer, since=min(mark.since, newer.since))

    def forget(self, before: float) -> None:
        """How all were then was looked at otherwise."""
        with self._lock:
            kept = {ref: mark for ref, mark in self._marks.items() if mark.last >= before}
            self._marks = {ref: replace(mark, since=max(mark.since, before)) for ref, mark in kept.items()}

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


def portions(refs: Iterable[ObjectRef]) -> Iterator[tuple[ObjectRef, ...]]:
    """In their order, so many that the first are stored soon; of what is read by one list, all at once."""
    left = list(refs)
    counts = Counter(_place(ref) for ref in left)
    listed = [place for place, count in counts.items() if count > DETECT_ONE_BY_ONE]
    single = [ref for ref in left if counts[_place(ref)] <= DETECT_ONE_BY_ONE]
    for start in range(0, len(single), DETECT_STORED):
        yield tuple(single[start : start + DETECT_STORED])
    for place in listed:
        yield tuple(ref for ref in left if _place(ref) == place)


def _place(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.group, ref.kind, ref.namespace
