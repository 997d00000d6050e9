"""Owns the places for reviews that are judged in threads, and the question whether any thread ends. Must not judge."""

from __future__ import annotations

import asyncio
import time

from reconciler.limits import REVIEW_THREADS, WEBHOOK_TIMEOUT_SECONDS


class Threads(asyncio.Semaphore):
    """As many places as threads may judge at a time in one worker."""

    def __init__(self, places: int = REVIEW_THREADS) -> None:
        super().__init__(places)
        self._moved = time.monotonic()
        self._places = places
        self._used = False

    async def acquire(self) -> bool:  # type: ignore[override] # typeshed wants Literal[True]
        """A place, once there is one."""
        taken = await super().acquire()
        self._moved, self._used = time.monotonic(), True
        return taken

    def release(self) -> None:
        """The thread has ended."""
        self._moved = time.monotonic()
        super().release()

    def rested(self) -> bool:
        """True once after each time of work, as soon as every place is free again."""
        rested = self._used and self._value == self._places
        self._used = self._used and not rested
        return rested

    def blocked(self) -> bool:
        """True if every place is taken, and none has changed hands for longer than any review may take."""
        return self.locked() and time.monotonic() - self._moved > WEBHOOK_TIMEOUT_SECONDS
