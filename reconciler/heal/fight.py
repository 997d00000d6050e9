"""Owns what a fight is: one object corrected again and again, because somebody undoes it. Pure; must not act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reconciler.limits import HEAL_FIGHT_SECONDS, HEAL_FIGHTS
from reconciler.report.drift import Attribution

NOBODY_KNOWN: Final = "somebody whom neither a record nor managedFields name"


@dataclass(frozen=True, slots=True)
class Fight:
    """When one object was corrected of late, in seconds of one clock, oldest first, and who was last undone by it."""

    times: tuple[float, ...] = ()
    opponent: str = ""

    def corrected(self, now: float, opponent: str) -> Fight:
        """After a correction at `now` of what `opponent` had written."""
        return Fight((*self._late(now), now), opponent)

    def on(self, now: float) -> bool:
        """Whether it is one at `now`."""
        return len(self._late(now)) >= HEAL_FIGHTS

    def forgotten(self, now: float) -> bool:
        """Whether nothing of it counts any more."""
        return not self._late(now)

    def _late(self, now: float) -> tuple[float, ...]:
        return tuple(one for one in self.times if now - one < HEAL_FIGHT_SECONDS)


def opponent_of(attribution: Attribution, manager: str) -> str:
    """Who made what is corrected, as far as anybody knows; `manager` is our own name in managedFields."""
    by = attribution.manager if attribution.manager != manager else ""
    if attribution.user:
        return f"{attribution.user} ({by})" if by else attribution.user
    return by or NOBODY_KNOWN
