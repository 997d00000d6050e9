"""Owns the pace of requests: so many a second over all threads, and a common pause when the server asks for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconciler.limits import DRY_RUNS_AT_ONCE, DRY_RUNS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of dry-runs an API server is asked to bear: so many a second, and so many at a time."""

    per_second: float = DRY_RUNS_PER_SECOND
    at_once: int = DRY_RUNS_AT_ONCE


DEFAULT: Final = Rate()


class Pace:
    """Gives out start times at least `1 / per_second` apart. `clock` and `sleep` (seconds) are passed by tests."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Return when the caller may send."""
        with self._lock:
            start = max(self._next, self._clock())
            self._next = start + self._gap
        delay = start - self._clock()
        if delay > 0:
            self._sleep(delay)

    def rest(self, seconds: float) -> None:
        """Let the caller alone wait for `seconds`."""
        self._sleep(seconds)

    def hold(self, seconds: float) -> None:
        """Let nobody start for `seconds` from now."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
