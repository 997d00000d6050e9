"""Owns what a day of the report is: how much drift was found and resolved, how many changes were refused. Pure.

Days are those of UTC. Must not store them, nor read a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Day:
    """One day (`2030-01-31`): findings that began and that ended on it, changes that were refused.

    `counted` False: nobody counted yet, so that its zeros say nothing.
    """

    day: str
    found: int = 0
    resolved: int = 0
    denials: int = 0
    counted: bool = True


def added(days: Iterable[Sequence[Day]]) -> list[Day]:
    """The sums of several accounts of the same days, day by day."""
    return [_sum(same) for same in zip(*days, strict=True)]


def _sum(same: Sequence[Day]) -> Day:
    found, resolved, denials = (sum(getattr(one, count) for one in same) for count in ("found", "resolved", "denials"))
    return Day(same[0].day, found, resolved, denials, all(one.counted for one in same))


def day_of(time: str) -> str:
    """The day of an instant (RFC 3339 in UTC); "" where it is none."""
    try:
        return date.fromisoformat(time[:10]).isoformat()
    except ValueError:
        return ""


def days_until(until: str, days: int) -> list[str]:
    """So many days without a hole, the last of them that of `until` (RFC 3339 in UTC). Raises ValueError."""
    last = date.fromisoformat(until[:10])
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(days))]
