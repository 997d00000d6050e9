"""Owns what is remembered of objects that are put back, in this process and over its end. Must not put anything back.

A process counts by a clock that ends with it; what outlives it is stored in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.heal.backoff import Backoff
from reconciler.heal.fight import Fight
from reconciler.limits import HEAL_FORGET_SECONDS
from reconciler.report.drift import DriftItem
from reconciler.store.healing import Remembered, read_healing
from reconciler.store.state import State


@dataclass(slots=True)
class Patient:
    """One object: its finding while there is one, what is remembered of tries, and what was last said of it.

    `since` is when it was first seen to differ from what its back-off says is wanted. Something stood in its way of
    late: it is not looked at `until` then, and comes after all others.
    """

    item: DriftItem | None = None
    since: float = 0.0
    until: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)
    fight: Fight = field(default_factory=Fight)
    said: str = ""


@dataclass(slots=True)
class Memory:
    """What outlives the process. Not safe to share: its owner has a lock.

    `at` is a moment by the clock of the process, `now` the same one by the calendar.
    """

    state: State
    _changed: set[str] = field(default_factory=set)

    def restored(self, at: float, now: datetime) -> dict[str, Patient]:
        """What an earlier process remembered, by id of the finding. Raises StoreError."""
        found, time = read_healing(self.state), now.timestamp()
        old = {one for one, kept in found.items() if time - kept.backoff.last >= HEAL_FORGET_SECONDS}
        self.changed(old)
        return {
            one: Patient(
                since=float("-inf"),
                backoff=kept.backoff.moved(at - time, at),
                fight=kept.fight.moved(at - time, at),
                said=kept.said,
            )
            for one, kept in found.items()
            if one not in old
        }

    def taken(self, patients: Mapping[str, Patient], at: float, now: datetime) -> dict[str, Remembered | None]:
        """What is to be stored; None: to be forgotten. What cannot be stored is given back to `changed`."""
        time = now.timestamp()
        found = {one: _remembered(patients.get(one), time - at, time) for one in self._changed}
        self._changed = set()
        return found

    def changed(self, identities: Iterable[str]) -> None:
        """Store these with the next ones."""
        self._changed.update(identities)


def _remembered(patient: Patient | None, by: float, now: float) -> Remembered | None:
    """None: nothing was tried of late."""
    if patient is None or not (patient.backoff.tries or patient.fight.rounds):
        return None
    return Remembered(patient.backoff.moved(by, now), patient.fight.moved(by, now), patient.said)
