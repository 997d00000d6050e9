"""Owns when each source is looked at next: by its own interval, sooner and then more and more rarely while it fails.

Waits vary a little, so that sources do not move in step. Times are monotonic seconds. Must not look.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reconciler import limits
from reconciler.source.spec import GitSource


@dataclass(slots=True)
class _Turn:
    source: GitSource
    at: float
    failures: int


@dataclass(slots=True)
class Schedule:
    """`chance` gives a number from 0 to 1. Several threads may use it."""

    chance: Callable[[], float] = random.random
    _turns: dict[str, _Turn] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, sources: Iterable[GitSource], now: float) -> list[str]:
        """The names of those whose turn has come: also the new, and those defined otherwise than last time.

        `sources` are all there are: one that has left is new when it comes back.
        """
        known = list(sources)
        with self._lock:
            for name in self._turns.keys() - {one.name for one in known}:
                del self._turns[name]
            return [one.name for one in known if not one.suspend and self._is_due(one, now)]

    def looked(self, source: GitSource, *, well: bool, now: float) -> None:
        """A look at the source has ended: `well`, or it failed."""
        with self._lock:
            before = self._turns.get(source.name)
            failures = 0 if well else (before.failures if before is not None else 0) + 1
            self._turns[source.name] = _Turn(source, now + self._wait(source, failures), failures)

    def _is_due(self, source: GitSource, now: float) -> bool:
        turn = self._turns.get(source.name)
        return turn is None or turn.source != source or turn.at <= now

    def _wait(self, source: GitSource, failures: int) -> float:
        wait = float(source.interval)
        if failures:
            doubled = limits.SOURCE_RETRY_SECONDS * 2.0 ** min(failures - 1, 30)
            wait = min(doubled, limits.SOURCE_RETRY_SECONDS_MOST, max(wait, limits.SOURCE_RETRY_SECONDS))
        return wait * (1 + limits.SOURCE_JITTER * (2 * self.chance() - 1))
