"""What a soak calls growth."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.soak.trend import Sample, Trend, slope, table

MB = 1_000_000


def row(
    memory: Callable[[float], float], descriptors: Callable[[float], float] = lambda _: 20, *, anonymous: float = 0
) -> list[Sample]:
    """An hour of looks, ten seconds apart; `memory` is resident, in MB by hours."""
    times = range(0, 3_600, 10)
    return [
        Sample(at, round(memory(at / 3_600) * MB), round(anonymous * at / 3_600 * MB), round(descriptors(at / 3_600)))
        for at in times
    ]


def violations(samples: list[Sample], warm_up: float = 600) -> list[str]:
    return list(Trend.of("reconciler", samples, warm_up).violations())


def test_a_straight_line_has_its_slope() -> None:
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == 2
    assert slope([0, 1], [3, 3]) == 0


def test_a_quarter_of_wild_values_does_not_move_a_slope() -> None:
    chance = random.Random(1)  # noqa: S311 - the same run again
    values = [100.0 + at / 100 for at in range(400)]
    for place in chance.sample(range(400), 100):
        values[place] += chance.choice([50, 500])
    assert slope(range(400), values) == pytest.approx(0.01, abs=0.02)


def test_what_the_first_minutes_fill_is_no_growth() -> None:
    warming = row(lambda hours: 100 + min(hours, 1 / 6) * 300)
    assert violations(warming) == []
    assert violations(warming, warm_up=0) == []  # robust beyond the warm-up as well
    (found,) = violations(row(lambda hours: 100 + hours * 300))
    assert "grows by 300.00 MB an hour" in found


def test_memory_that_comes_and_goes_is_no_growth() -> None:
    chance = random.Random(2)  # noqa: S311 - the same run again
    assert violations(row(lambda _: 150 + chance.uniform(-2, 2))) == []


@pytest.mark.parametrize(("an_hour", "found"), [(0.9, 0), (1.1, 1), (-30, 0)])
def test_one_megabyte_an_hour_is_the_limit(an_hour: float, found: int) -> None:
    assert len(violations(row(lambda hours: 100 + an_hour * hours))) == found


def test_a_leak_is_seen_though_the_kernel_takes_pages_of_files_away() -> None:
    assert violations(row(lambda hours: 100 - 5 * hours)) == []
    (found,) = violations(row(lambda hours: 100 - 5 * hours, anonymous=4))
    assert "4.00 MB" in found


def test_descriptors_that_are_opened_and_not_closed_are_found() -> None:
    assert violations(row(lambda _: 100, lambda hours: 20 + (hours * 360) % 7)) == []
    (found,) = violations(row(lambda _: 100, lambda hours: 20 + hours * 6))
    assert "opens 6.0 descriptors an hour" in found


@pytest.mark.parametrize("seed", range(20))
def test_connections_that_come_and_go_are_no_leak_and_hide_none(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same run again
    assert violations(row(lambda _: 100, lambda _: 22 + chance.randint(0, 7))) == []
    assert len(violations(row(lambda _: 100, lambda hours: 22 + hours * 6 + chance.randint(0, 7)))) == 1


def test_a_short_run_shows_slopes_and_judges_none() -> None:
    minutes = [one for one in row(lambda hours: 100 + hours * 300) if one.at <= 600]
    trend = Trend.of("API server", minutes, 100)
    assert trend.an_hour == pytest.approx(300)
    assert list(trend.violations()) == []
    assert "API server" in table([trend])[1]
    assert "+300.00" in table([trend])[1]
