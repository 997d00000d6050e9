"""When a source is looked at: by its own interval, sooner and then more and more rarely while it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.loop.schedule import Schedule
from reconciler.source.spec import GitSource

SHOP, GPU = GitSource("shop", "/shop", interval=300), GitSource("gpu", "/gpu", interval=3600)


def due_after(schedule: Schedule, source: GitSource) -> int:
    """Whole seconds from 0 until the source is due."""
    others = [one for one in (SHOP, GPU) if one.name != source.name]
    return next(second for second in range(100_000) if source.name in schedule.due([source, *others], second))


def test_each_source_has_its_own_interval() -> None:
    schedule = Schedule(chance=lambda: 0.5)
    assert schedule.due([SHOP, GPU], 0) == ["shop", "gpu"]
    for source in (SHOP, GPU):
        schedule.looked(source, well=True, now=0)
    assert (due_after(schedule, SHOP), due_after(schedule, GPU)) == (300, 3600)


def test_a_source_that_was_away_is_new_when_it_comes_back() -> None:
    schedule = Schedule(chance=lambda: 0.5)
    schedule.looked(SHOP, well=True, now=0)
    assert schedule.due([SHOP], 1) == []
    assert schedule.due([], 2) == []
    assert schedule.due([SHOP], 3) == ["shop"]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 270), (1.0, 330)])
def test_intervals_vary_by_a_tenth(chance: float, seconds: int) -> None:
    schedule = Schedule(chance=lambda: chance)
    schedule.looked(SHOP, well=True, now=0)
    assert due_after(schedule, SHOP) == seconds


@pytest.mark.parametrize(
    ("source", "waits"),
    [
        (GPU, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]),
        (SHOP, [5, 10, 20, 40, 80, 160, 300, 300]),
        (replace(SHOP, interval=2), [5, 5]),
    ],
)
def test_a_source_that_fails_is_asked_sooner_and_never_more_rarely_than_it_wants(
    source: GitSource, waits: list[int]
) -> None:
    schedule, found = Schedule(chance=lambda: 0.5), []
    for _ in waits:
        schedule.looked(source, well=False, now=0)
        found.append(due_after(schedule, source))
    assert found == waits
    schedule.looked(source, well=True, now=0)
    assert due_after(schedule, source) == source.interval


def test_who_is_defined_otherwise_is_due_at_once_and_who_is_suspended_never() -> None:
    schedule = Schedule()
    schedule.looked(SHOP, well=True, now=0)
    assert schedule.due([SHOP], 1) == []
    assert schedule.due([replace(SHOP, path="deploy")], 1) == ["shop"]
    assert schedule.due([replace(SHOP, suspend=True)], 1e9) == []
