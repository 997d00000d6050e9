"""Owns waiting for what a cluster does in its own time; must not know what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

# A machine that is busy stalls for tens of seconds, and no test is about how fast it is.
PATIENCE_SECONDS: Final = 180.0


def eventually(probe: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS, pause: float = 0.1) -> T:
    """The first true answer of `probe`, with a `pause` before each next; fails the test with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)
