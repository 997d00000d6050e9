"""Owns what a fight is: one object corrected again and again, because somebody undoes it. Pure; must not act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reconciler.limits import HEAL_FIGHT_SECONDS, HEAL_FIGHTS
from reconciler.report.drift import Attribution

NOBODY_KNOWN: Final = "somebody whom neither a record nor managedFields name"


@dataclass(frozen=True, slots=True)
class Fight:
    """The corrections of one object of late, oldest first: when, in seconds of one clock, and who was undone by it."""

    rounds: tuple[tuple[float, str], ...] = ()

    def corrected(self, now: float, opponent: str) -> Fight:
        """After a correction at `now` of what `opponent` had written."""
        return Fight((*self._late(now), (now, opponent)))

    @property
    def opponents(self) -> str:
        """Who was undone, last first: they may be several, and the record of a round may come too late for it."""
        return ", ".join(dict.fromkeys(opponent for _, opponent in reversed(self.rounds)))

    def on(self, now: float) -> bool:
        """Whether it is one at `now`."""
        return len(self._late(now)) >= HEAL_FIGHTS

    def forgotten(self, now: float) -> bool:
        """Whether nothing of it counts any more."""
        return not self._late(now)

    def moved(self, by: float, latest: float) -> Fight:
        """The same by another clock, which is so many seconds ahead of this one; nothing of it is after `latest`."""
        return Fight(tuple((min(at + by, latest), opponent) for at, opponent in self.rounds))

    def _late(self, now: float) -> tuple[tuple[float, str], ...]:
        return tuple(one for one in self.rounds if now - one[0] < HEAL_FIGHT_SECONDS)


def opponent_of(attribution: Attribution, manager: str) -> str:
    """Who made what is corrected, as far as anybody knows; `manager` is our own name in managedFields."""
    by = attribution.manager if attribution.manager != manager else ""
    if attribution.user:
        return f"{attribution.user} ({by})" if by else attribution.user
    return by or NOBODY_KNOWN
