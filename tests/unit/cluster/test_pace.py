"""Holds the pace of dry-runs, on a clock that the test moves."""

from __future__ import annotations

from reconciler.cluster.pace import Pace


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(clock: Clock) -> Pace:
    return Pace(50, clock=lambda: clock.now, sleep=clock.sleep)


def test_fifty_a_second_means_twenty_milliseconds_apart() -> None:
    clock = Clock()
    limited = pace(clock)
    starts = []
    for _ in range(4):
        limited.wait()
        starts.append(round(clock.now - 100, 3))
    assert starts == [0, 0.02, 0.04, 0.06]


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    clock = Clock()
    limited = pace(clock)
    limited.wait()
    clock.now += 10
    limited.wait()
    limited.wait()
    assert round(clock.now - 110, 3) == 0.02


def test_a_hold_keeps_everybody_waiting() -> None:
    clock = Clock()
    limited = pace(clock)
    limited.hold(3)
    limited.wait()
    assert clock.now == 103
