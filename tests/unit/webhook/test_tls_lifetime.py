"""Holds when a certificate is renewed, and that each reason is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhook.tls.lifetime import Validity, left, renewal, usable

START = datetime(2026, 1, 1, tzinfo=UTC)
# Made at START, for nine days; the date that it bears is five minutes before.
WEEK = Validity(START - timedelta(minutes=5), START + timedelta(days=9), frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("validity", "days", "names", "reason"),
    [
        (WEEK, 0.0, {"a"}, ""),
        (WEEK, 5.99, {"a", "b"}, ""),
        (WEEK, 6.0, {"a"}, "two thirds of its life are over"),
        (WEEK, 9.0, {"a"}, "it has expired"),
        (WEEK, 400.0, {"c"}, "it has expired"),
        (WEEK, -0.01, {"a"}, "it is not valid yet: the clock has gone back"),
        (WEEK, 1.0, {"a", "c", "d"}, "it lacks the name c"),
        (None, 1.0, {"a"}, "there is none that can be read"),
    ],
)
def test_line_22_a_certificate_is_renewed_for_a_reason(
    validity: Validity | None, days: float, names: set[str], reason: str
) -> None:
    found = renewal(validity, START + timedelta(days=days), frozenset(names))
    assert (found.reason, found.due) == (reason, bool(reason))


@pytest.mark.parametrize(("days", "expected"), [(-0.01, False), (-0.001, True), (0.0, True), (8.9, True), (9.0, False)])
def test_a_certificate_is_usable_within_its_span(days: float, *, expected: bool) -> None:
    assert usable(WEEK, START + timedelta(days=days)) is expected
    assert not usable(None, START)


def test_a_certificate_of_a_minute_is_renewed_after_forty_seconds() -> None:
    """Counted from the date that it bears it would be due before it is made."""
    minute = Validity(START - timedelta(minutes=5), START + timedelta(seconds=60))
    assert minute.renew_at == START + timedelta(seconds=40)
    assert not renewal(minute, START).due


def test_a_certificate_shorter_than_the_skew_is_due_at_once() -> None:
    short = Validity(START, START + timedelta(seconds=10))
    assert short.renew_at == short.not_after


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3 * 86_400, "ends in 3 days"),
        (5_400, "ends in 1 hour"),
        (90, "ends in 1 minute"),
        (45, "ends in 45 seconds"),
        (0, "ended 0 seconds ago"),
        (-7_200, "ended 2 hours ago"),
    ],
)
def test_the_time_that_is_left_is_told_in_words(seconds: int, words: str) -> None:
    assert left(START + timedelta(seconds=seconds), START) == words
