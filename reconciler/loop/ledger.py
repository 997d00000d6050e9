"""Owns what is stored of each object, in the order in which it was read. Must not read the cluster, nor compare.

Full passes and single looks run beside each other. Of an object that counts which was read by the look that began last:
what an older one says of it later is let go, so that neither undoes the other. Whoever wants to know is told.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from reconciler.errors import SetscrewError, place
from reconciler.limits import (
    LEDGER_AT_ONCE,
    PASS_PAUSE_SECONDS,
    PASS_YIELDS_SECONDS,
    PASS_YIELDS_SECONDS_MOST,
    REPORT_PROBLEMS,
)
from reconciler.loop.enriching import Enricher
from reconciler.loop.orphans import Orphans
from reconciler.loop.sources import Sources
from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftItem, DriftState, sha256
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.findings import Pass, Unseen, drop_findings, end_pass, managed_key, put_findings, put_pass
from reconciler.store.state import State

Told = Callable[[Sequence[DriftItem], MemorySnapshot, datetime], None]
"""Takes what was just stored, in-sync items too, with the snapshot that it was compared with. Must be quick."""


@dataclass(frozen=True, slots=True)
class Open:
    """What is remembered of a finding: whose it is. `gpu`: it says who uses a class, and that changes by itself."""

    ref: ObjectRef
    state: DriftState
    gpu: bool


@dataclass(slots=True)
class Ledger:
    """`say` takes one line. Safe to share between threads. Raises StoreError.

    `doubts` says of kinds, by group and name, why nobody knows what becomes of their objects: none of them is in sync.
    """

    state: State
    say: Callable[[str], None]
    sources: Sources | None = None
    doubts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    enricher: Enricher = field(init=False)
    orphans: Orphans = field(init=False)
    _listeners: list[Told] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _looks: int = 0
    _passed: int = 0
    _under_way: set[int] = field(default_factory=set)
    # By id: the look, and what it said (None: nothing), as long as an older look may still speak.
    _later: dict[str, tuple[int, DriftItem | None]] = field(default_factory=dict)
    _hidden: dict[str, Mapping[str, int]] = field(default_factory=dict)
    _open: dict[str, Open] = field(default_factory=dict)
    _pass: Pass = field(default_factory=Pass)

    def __post_init__(self) -> None:
        read = () if self.sources is None else (self.sources.goods, self.sources.reader.git)
        self.enricher, self.orphans = Enricher(self.state, *read), Orphans(self.state)

    def listen(self, told: Told) -> None:
        """Have `told` called with whatever is stored from now on."""
        self._listeners.append(told)

    @property
    def open(self) -> tuple[Open, ...]:
        """What is not in sync, as this process has stored it."""
        with self._lock:
            return tuple(self._open.values())

    def state_of(self, identity: str) -> DriftState | None:
        """Of the finding with this id, as this process has stored it; None: there is none."""
        one = self._open.get(identity)
        return one.state if one is not None else None

    @property
    def digest(self) -> str:
        """Of the snapshot that the numbers of the report are about."""
        return self._pass.snapshot

    @property
    def whole(self) -> bool:
        """Whether a full pass was stored in this process: before, nobody knows how all objects stand."""
        return bool(self._pass.observed_at)

    @contextmanager
    def look(self) -> Iterator[int]:
        """Begin before anything is read, end when it is stored; the number stands for this look."""
        with self._lock:
            self._looks += 1
            number = self._looks
            self._under_way.add(number)
        try:
            yield number
        finally:
            with self._lock:
                self._under_way.discard(number)
                oldest = min(self._under_way, default=self._looks)
                self._later = {one: said for one, said in self._later.items() if said[0] > oldest}
                self._lock.notify_all()

    def others(self, look: int, seconds: float) -> float:
        """Wait until no other look is under way, for `seconds` at most; how long that was."""
        began = time.monotonic()
        with self._lock:
            self._lock.wait_for(lambda: self._under_way <= {look}, seconds)
        return time.monotonic() - began

    def put(self, look: int, found: Mapping[str, DriftItem | None], snapshot: MemorySnapshot, now: datetime) -> None:
        """Store what one look says of some objects, by id; None: there is nothing to say of it any more."""
        with self._lock:
            self._tell(self._store(look, found, snapshot, now), snapshot, now)

    def replace(
        self,
        look: int,
        items: Iterable[DriftItem],
        snapshot: MemorySnapshot,
        now: datetime,
        about: About,
        unseen: Unseen | None = None,
        turns: Turns | None = None,
    ) -> None:
        """Store what a full pass has found: what it did not find is gone, unless `unseen`, or a later look has.

        `turns` are those of the pass, which goes on to let others go first.
        """
        left = iter(found := {item.id: item for item in items})
        own, stays, turns = list[DriftItem](), unseen or Unseen(), turns or Turns(self, look)
        while some := {one: found[one] for one in islice(left, LEDGER_AT_ONCE)}:
            with self._lock:
                own += self._store(look, some, snapshot, now)
            turns.give_way()
        with self._lock:
            later = {one: item for one, (number, item) in self._later.items() if number > look}
            known = found.keys() | {one for one, item in later.items() if item is not None}
            self._hidden = {one: hidden for one, hidden in self._hidden.items() if one in known}
            observed = about.observed(snapshot, stamp(now), _sums(self._hidden.values()))
            end_pass(self.state, known, observed, stays)
            self._open = {
                one: it
                for one, it in self._open.items()
                if one in known or stays.holds(one, it.state, (it.ref.group, it.ref.kind))
            }
            self._pass, self._passed = observed, look
            self._tell([one for one in own if one.id not in later], snapshot, now)

    def _store(
        self, look: int, found: Mapping[str, DriftItem | None], snapshot: MemorySnapshot, now: datetime
    ) -> list[DriftItem]:
        """Those of `found` that no later look, nor pass, has spoken of, as they are stored."""
        last = {one: self._later.get(one, (0, None))[0] for one in found}
        news = {one: item for one, item in found.items() if max(last[one], self._passed) < look}
        items = self.enricher.enriched((self._sure(one) for one in news.values() if one is not None), snapshot)
        put_findings(self.state, items)
        if gone := [one for one, item in news.items() if item is None]:
            drop_findings(self.state, gone, stamp(now))
        news |= {item.id: item for item in items}
        self._later |= {one: (look, item) for one, item in news.items()}
        hiding = any(one in self._hidden for one in news)
        self._remember(news)
        if hiding or any(one in self._hidden for one in news):
            self._save(replace(self._pass, hidden=_sums(self._hidden.values())))
        return items

    def note(self, snapshot: MemorySnapshot, about: About) -> None:
        """Store what is to be said of the desired state now, if all objects were compared with it."""
        with self._lock:
            self._save(about.observed(snapshot, self._pass.observed_at, _sums(self._hidden.values())))

    def recorded(self, lines: Iterable[bytes], snapshot: MemorySnapshot) -> None:
        """Name whom these records of decisions tell of, where they come after what they explain."""
        with self._lock:
            self.enricher.recorded(lines, snapshot)

    def _sure(self, item: DriftItem) -> DriftItem:
        """In doubt is not in sync."""
        doubt = self.doubts.get((item.group, item.kind)) if item.state == "in-sync" else None
        if doubt is None:
            return item
        return replace(item, state="unknown", reason=doubt, fingerprint=sha256([item.id, "unknown", []]))

    def _remember(self, found: Mapping[str, DriftItem | None]) -> None:
        for one, item in found.items():
            self._open.pop(one, None)
            self._hidden.pop(one, None)
            if item is None:
                continue
            if item.hidden:
                self._hidden[one] = item.hidden
            if item.state != "in-sync":
                ref = ObjectRef(item.group, item.kind, item.namespace, item.name)
                self._open[one] = Open(ref, item.state, bool(item.gpu))

    def _save(self, observed: Pass) -> None:
        """Between passes: not before the first, which alone knows of all objects."""
        if self.whole and observed != self._pass:
            put_pass(self.state, observed)
            self._pass = observed

    def _tell(self, items: Sequence[DriftItem], snapshot: MemorySnapshot, now: datetime) -> None:
        for told in self._listeners:
            try:
                told(items, snapshot, now)
            except SetscrewError as error:
                self.say(str(error))
            except Exception as error:  # noqa: BLE001 - whoever listens must not end the report
                self.say(f"a finding was not passed on: {place(error)}")


@dataclass(slots=True)
class Turns:
    """A long look that lets others go first, for `left` seconds in all: theirs is what has just changed."""

    ledger: Ledger
    look: int
    left: float = PASS_YIELDS_SECONDS_MOST

    def give_way(self) -> None:
        """It is the turn of others."""
        time.sleep(PASS_PAUSE_SECONDS)  # a lock that is taken again at once lets nobody in between
        if self.left > 0:
            self.left -= self.ledger.others(self.look, min(self.left, PASS_YIELDS_SECONDS))


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class About:
    """What is to be said of the desired state: see `Pass`."""

    expired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def observed(self, snapshot: MemorySnapshot, at: str, hidden: Mapping[str, int]) -> Pass:
        """The numbers of the report."""
        keys = (managed_key(one.ref.kind, one.ref.group, one.source) for one in snapshot.entries)
        counts = dict(Counter(keys))
        return Pass(at, snapshot.digest, counts, dict(hidden), self.expired, self.problems[:REPORT_PROBLEMS])
