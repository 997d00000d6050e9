"""When a full pass is due: rarely while all is watched, sooner where something is not."""

from __future__ import annotations

from reconciler.limits import PASS_FAILED_SECONDS, PASS_SECONDS, PASS_UNWATCHED_SECONDS
from reconciler.loop.passes import Passes


def ended(at: float, *, well: bool = True, every: float = PASS_SECONDS) -> Passes:
    passes = Passes(every)
    passes.began()
    passes.ended(at, well=well)
    return passes


def due(passes: Passes, *times: float) -> list[bool]:
    return [passes.is_due(time) for time in times]


def test_the_first_is_due_at_once_and_the_next_after_its_interval() -> None:
    assert Passes().is_due(0.0)
    assert due(ended(100.0), 100.0, 99.0 + PASS_SECONDS, 100.0 + PASS_SECONDS) == [False, False, True]


def test_one_that_failed_is_repeated_soon_whoever_asks() -> None:
    passes = ended(100.0, well=False)
    passes.soon()
    assert due(passes, 100.0, 100.0 + PASS_FAILED_SECONDS) == [False, True]
    assert due(ended(100.0, well=False, every=1.0), 101.0) == [True]


def test_what_cannot_be_watched_brings_the_next_forward_once() -> None:
    passes = ended(100.0)
    for second in range(10):
        passes.unwatched(100.0 + second)
    assert due(passes, 99.0 + PASS_UNWATCHED_SECONDS, 100.0 + PASS_UNWATCHED_SECONDS) == [False, True]


def test_what_happens_during_a_pass_is_for_the_next_one() -> None:
    passes = Passes()
    passes.began()
    passes.soon()
    passes.ended(100.0, well=True)
    assert passes.is_due(100.0)
