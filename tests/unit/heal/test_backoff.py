"""How soon an object is corrected again, and what a fight is."""

from __future__ import annotations

import pytest

from reconciler.heal.backoff import Backoff
from reconciler.heal.fight import NOBODY_KNOWN, Fight, opponent_of
from reconciler.report.drift import Attribution


def undone_at_once(times: int) -> list[float]:
    """The waits where somebody undoes each correction within a moment."""
    now, backoff, waits = 0.0, Backoff().drifted(0.0, "r1"), []
    for _ in range(times):
        backoff = backoff.tried(now).in_sync(now)
        waits.append(backoff.due - now)
        backoff = backoff.drifted(now + 0.1, "r1")
        now = backoff.due
    return waits


def test_the_first_correction_waits_for_nothing() -> None:
    assert Backoff().drifted(5.0, "r1").due < 5.0


def test_each_wait_is_three_times_the_last_up_to_five_minutes() -> None:
    assert undone_at_once(8) == [2, 6, 18, 54, 162, 300, 300, 300]


def test_a_failure_waits_as_a_correction_does() -> None:
    backoff = Backoff().drifted(0.0, "r1").tried(0.0).drifted(1.0, "r1").tried(2.0)
    assert backoff.due == 8.0


def test_what_git_wants_anew_begins_anew() -> None:
    backoff = Backoff().drifted(0.0, "r1").tried(0.0).tried(2.0).tried(8.0)
    assert backoff.drifted(9.0, "r1").due == 26.0
    assert backoff.drifted(9.0, "r2").due < 9.0


def test_who_stays_in_sync_for_the_whole_wait_begins_anew() -> None:
    backoff = Backoff().drifted(0.0, "r1").tried(0.0).tried(2.0).in_sync(3.0)  # waits for 6 s
    assert backoff.drifted(8.9, "r1").due == 8.0
    assert backoff.drifted(9.0, "r1").due < 9.0
    assert backoff.drifted(9.0, "r1").tried(9.0).due == 11.0


def test_to_be_told_twice_that_it_is_in_sync_does_not_begin_the_rest_anew() -> None:
    backoff = Backoff().drifted(0.0, "r1").tried(0.0).in_sync(0.5).in_sync(2.4)
    assert backoff.drifted(2.5, "r1").due < 2.5


def test_what_fights_waits_the_longest_and_rests_no_sooner() -> None:
    backoff = Backoff().drifted(0.0, "r1").tried(0.0).paused().in_sync(1.0)
    assert backoff.due == 300.0
    assert backoff.drifted(299.0, "r1").due == 300.0
    assert backoff.drifted(301.0, "r1").due < 301.0


@pytest.mark.parametrize(
    ("gap", "fights"),
    [pytest.param(149.0, True, id="five-in-ten-minutes"), pytest.param(150.0, False, id="the-first-is-forgotten")],
)
def test_five_corrections_within_ten_minutes_are_a_fight(gap: float, fights: bool) -> None:
    fight = Fight()
    for number in range(4):
        fight = fight.corrected(number * gap, "hpa")
        assert not fight.on(number * gap)
    assert fight.corrected(4 * gap, "hpa").on(4 * gap) is fights


def test_a_fight_ends_with_its_ten_minutes() -> None:
    fight = Fight()
    for now in range(5):
        fight = fight.corrected(float(now), "hpa")
    assert fight.on(599.9)
    assert not fight.on(604.0)


def test_a_fight_names_all_who_were_undone_the_last_first_and_each_once() -> None:
    fight = Fight()
    for now, opponent in enumerate(["keda (kubectl-patch)", "dana", "keda (kubectl-patch)", "kubectl-patch"]):
        fight = fight.corrected(float(now), opponent)
    assert fight.opponents == "kubectl-patch, keda (kubectl-patch), dana"


@pytest.mark.parametrize(
    ("attribution", "named"),
    [
        pytest.param(Attribution("kubectl-edit", "dana", confidence="admission"), "dana (kubectl-edit)", id="person"),
        pytest.param(Attribution(user="dana", confidence="audit"), "dana", id="person-without-a-manager"),
        pytest.param(Attribution("keda", confidence="managedFields"), "keda", id="manager"),
        pytest.param(Attribution(), NOBODY_KNOWN, id="nobody"),
        pytest.param(Attribution("setscrew", confidence="managedFields"), NOBODY_KNOWN, id="never-ourselves"),
    ],
)
def test_the_opponent_is_named_as_well_as_it_is_known(attribution: Attribution, named: str) -> None:
    assert opponent_of(attribution, "setscrew") == named
