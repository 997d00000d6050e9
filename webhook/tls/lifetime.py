"""Owns the question whether a certificate must be renewed. Pure: takes the time, reads no file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Renewal(NamedTuple):
    """Why a certificate must be renewed, in words; "" where it need not."""

    reason: str = ""

    @property
    def due(self) -> bool:
        """True where there is a reason."""
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Validity:
    """What counts of a certificate: its span (aware datetimes) and the names it is for (DNS names and IP addresses)."""

    not_before: datetime
    not_after: datetime
    names: frozenset[str] = frozenset()

    @property
    def renew_at(self) -> datetime:
        """Two thirds of its life: a failed renewal then has a third of it left to be noticed."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3


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
