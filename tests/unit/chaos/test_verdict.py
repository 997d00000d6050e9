"""What a chaos run calls a violation, write by write."""

from __future__ import annotations

import pytest

from tests.chaos.traffic import Write
from tests.chaos.verdict import Span, judge
from tests.support.audit import GUARD

REFUSED = f'admission webhook "core-v1.{GUARD}" denied the request: no'
CALM = Span("calm", "nothing", 0, 10)
KILL = Span("worker killed", "in flight", 10, 20)
OUTAGE = Span("single replica restarted", "outage", 20, 30)


def a_write(at: float, meant: str, status: int, message: str = "") -> Write:
    return Write(at, meant, "a change", status, message, f"id-{at:g}")  # type: ignore[arg-type]


def violations(*writes: Write, failure: str = "Fail", known: tuple[str, ...] = (), workers: int = 1) -> int:
    return len(judge(writes, (CALM, KILL, OUTAGE), failure, known, workers).violations)


@pytest.mark.parametrize("at", [5, 15, 25])
def test_what_is_forbidden_never_passes_with_fail(at: float) -> None:
    assert violations(a_write(at, "forbidden", 200)) == 1
    assert violations(a_write(at, "forbidden", 403, REFUSED)) == 0
    assert violations(a_write(at, "forbidden", 500, "failed calling webhook")) == 0


def test_with_ignore_it_may_slip_through_where_it_is_known_afterwards() -> None:
    assert violations(a_write(5, "forbidden", 200), failure="Ignore") == 1
    assert violations(a_write(5, "forbidden", 200), failure="Ignore", known=("id-5",)) == 0


def test_what_is_allowed_fails_only_where_the_trial_excuses_it() -> None:
    failed = "failed calling webhook"
    assert violations(a_write(5, "allowed", 500, failed)) == 1
    assert violations(a_write(15, "allowed", 500, failed)) == 0
    assert violations(a_write(15, "allowed", 500, failed), a_write(16, "allowed", 500, failed)) == 1
    assert violations(a_write(25, "allowed", 500, failed), a_write(26, "allowed", 500, failed)) == 0


def test_our_refusal_of_what_is_allowed_is_never_excused() -> None:
    assert violations(a_write(25, "allowed", 403, REFUSED)) == 1


def test_writes_between_two_trials_are_not_judged() -> None:
    assert violations(a_write(35, "forbidden", 200)) == 0
