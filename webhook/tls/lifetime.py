"""Owns the question whether a certificate must be renewed, and when. Pure: takes the time, reads no file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from reconciler.limits import CA_DAYS, CLOCK_SKEW_SECONDS, SERVING_DAYS


class Renewal(NamedTuple):
    """Why a certificate must be renewed, in words; "" where it need not."""

    reason: str = ""

    @property
    def due(self) -> bool:
        """True where there is a reason."""
        return bool(self.reason)


class Lives(NamedTuple):
    """How long certificates of our own last, from when they are made."""

    authority: timedelta = timedelta(days=CA_DAYS)
    serving: timedelta = timedelta(days=SERVING_DAYS)


LIVES: Final = Lives()


@dataclass(frozen=True, slots=True)
class Validity:
    """What counts of a certificate: its span (aware datetimes) and the names it is for (DNS names and IP addresses)."""

    not_before: datetime
    not_after: datetime
    names: frozenset[str] = frozenset()

    @property
    def renew_at(self) -> datetime:
        """Two thirds of its life: a failed renewal then has a third of it left to be noticed.

        Its life begins when it is made, `CLOCK_SKEW_SECONDS` after the date that it bears.
        """
        made = min(self.not_before + timedelta(seconds=CLOCK_SKEW_SECONDS), self.not_after)
        return made + (self.not_after - made) * 2 / 3


def renewal(validity: Validity | None, now: datetime, names: frozenset[str] = frozenset()) -> Renewal:
    """Judge `validity` (None: there is none that can be read) against `now` and the names it has to carry."""
    if validity is None:
        return Renewal("there is none that can be read")
    if validity.not_after <= now:
        return Renewal("it has expired")
    if now < validity.not_before:
        return Renewal("it is not valid yet: the clock has gone back")
    if missing := names - validity.names:
        return Renewal(f"it lacks the name {min(missing)}")
    if now >= validity.renew_at:
        return Renewal("two thirds of its life are over")
    return Renewal()


def usable(validity: Validity | None, now: datetime) -> bool:
    """True while clients with a right clock accept it."""
    return validity is not None and validity.not_before <= now < validity.not_after


def left(not_after: datetime, now: datetime) -> str:
    """The time until `not_after` in words for people: `ends in 2 days`, `ended 5 minutes ago`."""
    seconds = int((not_after - now).total_seconds())
    size, word = next((one for one in _UNITS if abs(seconds) >= one[0]), _UNITS[-1])
    count = abs(seconds) // size
    words = f"{count} {word}{'' if count == 1 else 's'}"
    return f"ends in {words}" if seconds > 0 else f"ended {words} ago"


_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
