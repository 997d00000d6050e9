"""Owns how much strangers may ask for: a few at once, and so many a second. Must not know what for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """A token bucket of `burst`, filled at `per_second`. Safe to share between threads."""

    burst: float
    per_second: float
    clock: Callable[[], float] = time.monotonic
    level: float = field(init=False)
    filled: float = field(default=0.0)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self) -> float:
        """Take one, and answer 0, or how many seconds it takes until there is one."""
        with self.lock:
            now = self.clock()
            self.level = min(self.burst, self.level + (now - self.filled) * self.per_second)
            self.filled = now
            if self.level < 1:
                return (1 - self.level) / self.per_second
            self.level -= 1
            return 0.0
