"""Owns healing as it runs: findings in, corrections out, in turn; and what is told and remembered of each.

Must not decide whether, what or how soon: `reconciler.heal` does. It writes in a thread of its own, so that neither
passes over the cluster nor looks at Git wait for it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from reconciler.cluster.pace import Pace
from reconciler.cluster.refusal import without_values
from reconciler.errors import ApiError, ClusterError, SetscrewError, StoreError, place
from reconciler.heal.fight import opponent_of
from reconciler.heal.may import Known, barred, barred_by_form, wants
from reconciler.heal.order import turn
from reconciler.heal.owned import MANAGER
from reconciler.heal.plan import Correction
from reconciler.limits import (
    HEAL_AGAIN_SECONDS,
    HEAL_DEPLOY_SECONDS,
    HEAL_FIGHT_SECONDS,
    HEAL_FIGHTS,
    HEAL_LOOK_SECONDS,
    HEAL_PATHS,
    HEAL_WAIT_SECONDS,
    HEALS_AT_ONCE,
    HEALS_PER_SECOND,
)
from reconciler.loop.correcting import Healer, Outcome
from reconciler.loop.desired import Desired, rendered_of
from reconciler.loop.patients import Memory, Patient
from reconciler.model.instant import stamp
from reconciler.policy.grant import Grant
from reconciler.report.drift import DriftItem, finding_id, sha256
from reconciler.report.printable import one_line
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.grants import read_grants
from reconciler.store.healing import keep_healing
from reconciler.store.history import Event
from reconciler.store.state import State

_VERBS: Final = {"create": "made anew", "apply": "applied", "patch": "patched"}


@dataclass(slots=True)
class Healing:
    """Puts back what drifts under `heal: Auto`. `told` may be called by any thread, `run` is for one of its own.

    Without a `healer` nothing is written, and that is said once. `clock` counts seconds, `now` tells the time, `say`
    takes one line. `counts` are numbers since the start: healed, heal-failed, fight. Raises StoreError where it cannot
    be read what an earlier process remembered.
    """

    healer: Healer | None
    desired: Desired
    state: State
    say: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    pace: Pace = field(default_factory=lambda: Pace(HEALS_PER_SECOND))
    counts: Counter[str] = field(default_factory=Counter)
    _memory: Memory = field(init=False)
    _patients: dict[str, Patient] = field(init=False)
    # By id, what was wanted of an object when it was last as Git says. Not the commit: most are about other objects.
    _landed: dict[str, str] = field(default_factory=dict)
    _seen: MemorySnapshot | None = None
    _entries: Mapping[str, Entry] = field(default_factory=dict)
    _said: bool = False
    _failed: str = ""
    # Since when and by whom the guard is switched off, as it was last seen, and until when that is not looked at again.
    _off: tuple[str, float] = ("", 0.0)
    _wake: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._memory = Memory(self.state)
        self._patients = self._memory.restored(self.clock(), self.now())

    def told(self, items: Sequence[DriftItem], snapshot: MemorySnapshot, now: datetime) -> None:
        """Take in findings as they are stored at `now`, objects in sync included."""
        at = self.clock()
        with self._lock:
            entries = self._auto(snapshot)
            for item in items:
                self._note(item, entries.get(item.id), at)
            waiting = any(one.item for one in self._patients.values())
        if waiting and self.healer is None and not self._said:
            self._said = True
            self.say(f"{stamp(now)}: a policy says heal: Auto, but there is no identity for it: --healer-kubeconfig")
        if waiting:
            self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Heal until `stop` is set."""
        while not stop.is_set():
            try:
                self.turn()
                self._failed = ""
            except Exception as error:  # noqa: BLE001 - what nobody foresaw must not end all healing
                self._troubled(str(error) if isinstance(error, SetscrewError) else place(error))
            self._wake.wait(HEAL_LOOK_SECONDS)
            self._wake.clear()

    def turn(self) -> None:
        """Try what is due now, what others need first. Git is asked before: what it says no more is not put back."""
        self._remember()
        due = self._due() if self.healer is not None else []
        grants = read_grants(self.state) if due else ()
        ready = list(islice((pair for pair in due if self._may(*pair, grants)), HEALS_AT_ONCE))
        if not ready or self._is_off():
            return
        self.desired.look({entry.source for _, entry in ready})
        for item, entry in ready:
            self._heal(item, entry)
        if len(ready) == HEALS_AT_ONCE:
            self._wake.set()

    def _heal(self, item: DriftItem, entry: Entry) -> None:
        with self._lock:
            snapshot = self.desired.current()
            now = self._auto(snapshot).get(item.id) if snapshot is not None else None
        if self.healer is None or snapshot is None or now is None or not self._may(item, now, read_grants(self.state)):
            return
        self.pace.wait()
        if self._is_off():
            return
        try:
            outcome = self.healer.correct(now, rendered_of(now, self.desired.goods()), snapshot)
        except ApiError as error:
            outcome = Outcome(failed=without_values(error))
        except ClusterError as error:
            outcome = Outcome(failed=error.message)
        except Exception as error:  # noqa: BLE001 - one object that nobody foresaw must not stand in the way of others
            outcome = Outcome(failed=place(error))
        self._take(item, entry, outcome)

    def _may(self, item: DriftItem, entry: Entry, grants: Iterable[Grant]) -> bool:
        """Whether nothing is in the way, as far as that is known without asking anybody; told where something is."""
        source = self._seen.sources.get(entry.source) if self._seen is not None else None
        known = Known(source, self.desired.trouble(entry.source), grants, self.now().timestamp())
        if why := barred(entry, known) or barred_by_form(entry, gone=item.state == "missing"):
            self._take(item, entry, Outcome(barred=why))
        return not why

    def _is_off(self) -> bool:
        """Whether the guard is switched off: that stops healing too, whatever is due stays so. Raises ClusterError."""
        before, until = self._off
        if before and self.clock() < until:
            return True
        off = self.healer.off() if self.healer is not None else ""
        if off and off != before:
            again = "`setscrew register` switches it on again"
            self.say(f"nothing is put back while the guard is switched off ({one_line(off)}): {again}")
        self._off = off, self.clock() + HEAL_AGAIN_SECONDS
        return bool(off)

    def _troubled(self, why: str) -> None:
        if why != self._failed:
            self.say(f"healing failed: {why}")
        self._failed = why

    def _auto(self, snapshot: MemorySnapshot) -> Mapping[str, Entry]:
        """What is to be healed of a snapshot, by the id of its findings."""
        if snapshot is not self._seen:
            auto = (one for one in snapshot.entries if one.policy.heal == "Auto")
            self._seen, self._entries = snapshot, {finding_id(one.ref, self.state.cluster): one for one in auto}
            self._landed = {one: wanted for one, wanted in self._landed.items() if one in self._entries}
        return self._entries

    def _note(self, item: DriftItem, entry: Entry | None, at: float) -> None:
        patient = self._patients.get(item.id)
        before = patient.backoff if patient is not None else None
        if entry is not None and item.state == "in-sync":
            self._landed[item.id] = sha256(entry.object.want)
        if entry is not None and wants(item, entry):
            patient = self._patients.setdefault(item.id, patient or Patient())
            if (wanted := sha256(entry.object.want)) != patient.backoff.wanted:
                patient.since = at
            if patient.item is None or _facts(patient.item) != _facts(item):
                patient.until = 0.0
            patient.item, patient.backoff = item, patient.backoff.drifted(at, wanted)
        elif patient is not None:
            patient.item = None
            if item.state == "in-sync":
                patient.backoff, patient.until, patient.said = patient.backoff.in_sync(at), 0.0, ""
            if patient.backoff.rested(at) and patient.fight.forgotten(at):
                del self._patients[item.id]
        left = self._patients.get(item.id)
        if before is not None and before.tries and (left is None or left.backoff != before):
            self._memory.changed([item.id])

    def _due(self) -> list[tuple[DriftItem, Entry]]:
        at = self.clock()
        with self._lock:
            found = [
                (bool(one.until), one.item, self._entries[one.item.id])
                for one in self._patients.values()
                if one.item is not None and one.item.id in self._entries and self._is_due(one, one.item, at)
            ]
        found.sort(key=lambda one: (one[0], turn(one[2].ref, takes_away=_takes_away(one[1]))))
        return [(item, entry) for _, item, entry in found]

    def _is_due(self, patient: Patient, item: DriftItem, at: float) -> bool:
        """A tool that deploys the source is the first to: it has hooks, waves and people who say when."""
        source = self._seen.sources.get(item.source.name) if self._seen is not None else None
        deploys = source is not None and source.adopter.kind and self._landed.get(item.id) != patient.backoff.wanted
        return max(patient.backoff.due, patient.until) <= at and (
            not deploys or at - patient.since >= HEAL_DEPLOY_SECONDS
        )

    def _take(self, item: DriftItem, entry: Entry, outcome: Outcome) -> None:
        """Remember and tell what came of a try."""
        at = self.clock()
        with self._lock:
            patient = self._patients.setdefault(item.id, Patient())
            patient.until = at + HEAL_AGAIN_SECONDS if outcome.barred else 0.0
            if outcome.done or outcome.failed:
                patient.backoff = patient.backoff.tried(at)
                self._memory.changed([item.id])
            elif not outcome.barred:
                patient.item, patient.backoff = None, patient.backoff.in_sync(at)
        if outcome.done is not None:
            self._healed(patient, item, entry, outcome.done, at)
        elif news := outcome.failed or outcome.barred:
            self._not_healed(patient, item, entry, one_line(news), failed=bool(outcome.failed))

    def _healed(self, patient: Patient, item: DriftItem, entry: Entry, done: Correction, at: float) -> None:
        opponent, fought = opponent_of(item.attribution, MANAGER), patient.fight.on(at)
        with self._lock:
            patient.item, patient.said = None, ""
            patient.fight = patient.fight.corrected(at, opponent)
            fights = patient.fight.on(at)
            if fights:
                patient.backoff = patient.backoff.paused()
        fields = [one_line(one) for one in done.fields[:HEAL_PATHS]]
        body = {"verb": done.verb, "fields": fields, "revision": item.source.revision, "opponent": opponent}
        opponents, begun = patient.fight.opponents, fights and not fought
        facts = {"corrections": HEAL_FIGHTS, "seconds": HEAL_FIGHT_SECONDS, "pause": HEAL_WAIT_SECONDS[-1]}
        fight: list[tuple[Event, Mapping[str, Any]]] = [("fight", {"opponent": opponents, **facts})]
        self.counts.update(["healed", "fight"] if begun else ["healed"])
        self._remember(item, [("healed", body), *(fight if begun else ())])
        more = f" and {len(done.fields) - HEAL_PATHS} more" if len(done.fields) > HEAL_PATHS else ""
        what = f": {', '.join(fields)}{more}, written by {one_line(opponent)}" if fields else ""
        self.say(f"put back {entry.ref} ({_VERBS[done.verb]}){what}")
        if begun:
            times = f"{HEAL_FIGHTS} times in {HEAL_FIGHT_SECONDS // 60} minutes"
            pause = f"from now on once in {HEAL_WAIT_SECONDS[-1] // 60} minutes"
            self.say(f"a fight over {entry.ref}: put back {times}, each time undone by {one_line(opponents)}; {pause}")

    def _not_healed(self, patient: Patient, item: DriftItem, entry: Entry, why: str, *, failed: bool) -> None:
        """Said and kept once for each reason: it is tried again and again."""
        self.counts["heal-failed"] += failed
        with self._lock:
            before, patient.said = patient.said, why
        self._remember(item, [("heal-failed", {"reason": why})] if failed and why != before else ())
        if why != before:
            self.say(f"{'could not put back' if failed else 'not put back:'} {entry.ref}: {why}")

    def _remember(self, item: DriftItem | None = None, events: Sequence[tuple[Event, Mapping[str, Any]]] = ()) -> None:
        """Store what a restart must not lose, together with what happened to `item`. Raises StoreError."""
        now = self.now()
        with self._lock:
            found = self._memory.taken(self._patients, self.clock(), now)
        noted = [(item.id, event, stamp(now), body) for event, body in events] if item is not None else []
        try:
            keep_healing(self.state, found, noted)
        except StoreError:
            with self._lock:
                self._memory.changed(found)
            raise


def _facts(item: DriftItem) -> tuple[object, ...]:
    """Where one of these changes, what stood in the way may be gone."""
    return item.fingerprint, item.confidence, item.adopted, item.source.enforced


def _takes_away(item: DriftItem) -> bool:
    return bool(item.changes) and all(change.op == "add" for change in item.changes)
