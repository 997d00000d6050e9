"""Owns the clocks of the benchmarks: CPU seconds of this process, and a loop that tells machines apart."""

from __future__ import annotations

import time
from collections.abc import Callable

_TURNS = 4_000


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call: other processes on the same cores count as little as can be."""
    began = time.process_time()
    work()
    return time.process_time() - began


def loop() -> float:
    """CPU seconds of what interpreted code does all day: look up, compare, call. The best of several."""
    return min(seconds(calibrate) for _ in range(9))


def calibrate() -> int:
    """The loop itself, for those who time it in between."""
    table = {str(number): number for number in range(50)}
    total = 0
    for number in range(_TURNS):
        total += table[str(number % 50)]
    return total
