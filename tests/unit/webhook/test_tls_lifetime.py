"""Holds when a certificate is renewed, and that each reason is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhook.tls.lifetime import Validity, renewal, usable

START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = Validity(START, START + timedelta(days=9), frozenset({"a", "b"}))


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
def test_a_certificate_is_renewed_for_a_reason(
    validity: Validity | None, days: float, names: set[str], reason: str
) -> None:
    found = renewal(validity, START + timedelta(days=days), frozenset(names))
    assert (found.reason, found.due) == (reason, bool(reason))


@pytest.mark.parametrize(("days", "expected"), [(-0.01, False), (0.0, True), (8.9, True), (9.0, False)])
def test_a_certificate_is_usable_within_its_span(days: float, *, expected: bool) -> None:
    assert usable(WEEK, START + timedelta(days=days)) is expected
    assert not usable(None, START)
