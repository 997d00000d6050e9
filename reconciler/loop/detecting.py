"""Owns seeing drift as it happens: a watch of exactly the guarded kinds, and a look at each object that has changed.

The watch is a hint: what is stored comes from reading the object, so a lost or a late event never becomes a finding.
Of a guarded object nothing is kept but a digest. Must not compare by itself, nor decide when a full pass is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.collection import Change, Changed, Listed
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.informer import GroupKind, Informer, Watched
from reconciler.cluster.watch import beats
from reconciler.errors import ClusterError, SetscrewError, place
from reconciler.gpu.users.model import Census
from reconciler.limits import (
    DETECT_GONE_SECONDS,
    DETECT_LIST_SECONDS,
    DETECT_MOST,
    DETECT_RETRY_SECONDS,
    DETECT_USERS_SECONDS,
)
from reconciler.loop.current import Current, name_of
from reconciler.loop.digests import differing, digest
from reconciler.loop.marks import Marks, portions
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.scan import Scope, scan_some, unknown_item
from reconciler.loop.trust import Accused
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Rules
from reconciler.report.drift import DriftItem
from reconciler.snapshot.model import Entry, MemorySnapshot

_LOOK_SECONDS: Final = 0.5
_GLANCE_SECONDS: Final = 0.02
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(slots=True)
class Detecting:
    """`client` watches; the reconciler's own reads. `run` is for a thread of its own; any may call the rest.

    `census` is as in `full_pass`; `settling`: who has deleted the entry may still put it back; `full` asks for a full
    pass. `unwatched` says by kind why it cannot be watched now.
    """

    client: ApiClient
    discovery: Discovery
    reconciler: Reconciler
    census: Callable[[], Census | None] = lambda: None
    settling: Callable[[Entry], bool] = lambda _: False
    full: Callable[[], None] = lambda: None
    unwatched: Mapping[GroupKind, str] = field(default_factory=dict)
    _informer: Informer[bytes] = field(init=False)
    _scope: Scope = field(default_factory=lambda: Scope.of(MemorySnapshot((), Rules(())), ""))
    _compared: MemorySnapshot | None = None
    _marks: Marks = field(default_factory=Marks)
    _wake: threading.Event = field(default_factory=threading.Event)
    _followed: float = 0.0
    _differed: float = 0.0
    _accused: list[Accused] = field(default_factory=list)
    _users: Census | None = None
    _users_due: float = 0.0
    _current: Current = field(init=False)
    _failed: str = ""

    def __post_init__(self) -> None:
        self._informer = Informer(self.client, self.discovery, self._kept, self._heard)
        self._current = Current(self.reconciler.state)

    # Around a full pass.

    def prepare(self) -> None:
        """Follow what is enforced now, and wait a moment until it is listed: what comes later is heard of."""
        self._follow()
        until = time.monotonic() + DETECT_LIST_SECONDS
        while self._informer.watched().pending and time.monotonic() < until:
            time.sleep(_GLANCE_SECONDS)

    def covered(self, began: float, snapshot: MemorySnapshot | None, unseen: Collection[ObjectRef] = ()) -> None:
        """All but `unseen` was compared with `snapshot` by a pass that began then: marks of before need no look."""
        self._marks.forget(began)
        self._marks.mark(self._seen_soon(unseen), DETECT_RETRY_SECONDS)
        self._compared = self._compared or snapshot
        self._wake.set()

    def look_soon(self, refs: Iterable[ObjectRef] = ()) -> None:
        """Look at these, and at what is served, at once."""
        self._marks.mark(refs)
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        threading.Thread(target=self._definitions, args=(stop,), daemon=True, name="definitions").start()
        while not stop.is_set():
            self._wake.wait(min(_LOOK_SECONDS, self._marks.wait) if self.reconciler.ledger.whole else _LOOK_SECONDS)
            self._wake.clear()
            try:
                self.step()
                self._failed = ""
            except Exception as error:  # noqa: BLE001 - what nobody foresaw in one object must not end the watching
                why = str(error) if isinstance(error, SetscrewError) else place(error)
                if why != self._failed:
                    self.reconciler.say(f"drift is not seen as it happens: {why}")
                self._failed = why
                stop.wait(_LOOK_SECONDS)
        self._informer.follow(())

    def step(self) -> None:
        """One turn: whom to follow, what cannot be watched, whom to look at, how far that is current."""
        snapshot = self._follow()
        if snapshot is None:
            return
        watches = self._informer.watched()
        self._doubt(watches)
        if self.reconciler.ledger.whole:
            self._differ(snapshot)
            self._others()
            self._look()
            self._settle(snapshot)
        self._current.note(watches, self._marks.oldest, whole=self.reconciler.ledger.whole)

    # What is heard, in the threads of the informer.

    def _kept(self, kind: KindInfo, tree: Tree) -> bytes | None:
        metadata: Any = dig(tree, "metadata")
        ref = ObjectRef(kind.group, kind.kind, str(metadata.get("namespace") or ""), str(metadata["name"]))
        scope = self._scope
        if scope.kind_of(ref) is None or not isinstance(tree, dict):
            return None
        return digest(tree, scope.snapshot.secret_key)

    def _heard(self, info: KindInfo, change: Change[bytes], moved: Collection[ObjectRef]) -> None:
        """After a list, what was there neither before nor now is looked at, too: nobody knows how it went."""
        scope, there, known = self._scope, set[ObjectRef](), set(moved)
        if isinstance(change, Listed):
            there = set(change.objects)
            of_kind = {ref for ref in scope.entries if (ref.group, ref.kind) == (info.group, info.kind)}
            known |= of_kind - there
        elif isinstance(change, Changed):
            there = known
        ours = {ref for ref in known if scope.kind_of(ref) is not None}
        self._marks.mark(ours & there)
        # What is replaced is away for a moment.
        self._marks.mark(ours - there, DETECT_GONE_SECONDS)
        if ours:
            self._wake.set()

    def _definitions(self, stop: threading.Event) -> None:
        """Kinds that come to be served are followed at once."""
        for number, _ in enumerate(beats(self.client, _DEFINITIONS, "", self.reconciler.say)):
            if stop.is_set():
                return
            if number and not self._scope.kinds <= {(group, kind) for group, _, kind in self.discovery.kinds()}:
                try:
                    self.discovery.refresh()
                except ClusterError:
                    continue  # it is read now and then, too
                self._wake.set()

    # What is done about it.

    def _follow(self) -> MemorySnapshot | None:
        snapshot, now = self.reconciler.current, time.monotonic()
        if snapshot is not None:
            if new := snapshot is not self._scope.snapshot:
                self._scope = Scope.of(snapshot, self.reconciler.state.cluster)
            if new or now >= self._followed + _LOOK_SECONDS:
                self._followed = now
                self._informer.follow(self._scope.kinds)
        return snapshot

    def _doubt(self, watches: Watched) -> None:
        """What cannot be watched is unknown unless it is found to differ; once it can be again, it is looked at."""
        before, now = self.unwatched, watches.unread
        if now == before:
            return
        ledger, scope = self.reconciler.ledger, self._scope
        ledger.doubts = {kind: f"{name_of(kind)} cannot be watched: {why}" for kind, why in now.items()}
        self.unwatched = now
        if not ledger.whole:
            return
        known = {one.ref: one.state for one in ledger.open}
        self._marks.mark(ref for ref in known if (ref.group, ref.kind) in before.keys() - now.keys())
        lost = [
            one
            for one in scope.entries.values()
            if one.ref not in known and (one.ref.group, one.ref.kind) in now.keys() - before.keys()
        ]
        self._store_unknown(lost)

    def _store_unknown(self, entries: Iterable[Entry], reason: str = "") -> None:
        """Without a reason it is the doubt of the kind."""
        ledger, scope, now = self.reconciler.ledger, self._scope, datetime.now(UTC)
        with ledger.look() as look:
            doubts = ((one, reason or ledger.doubts[one.ref.group, one.ref.kind]) for one in entries)
            items = [unknown_item(one, scope, now, why) for one, why in doubts]
            ledger.put(look, {item.id: item for item in items}, scope.snapshot, now)

    def _differ(self, snapshot: MemorySnapshot) -> None:
        """Mark what another snapshot wants otherwise, and all findings: they name the revision."""
        before = self._compared
        if before is None or before is snapshot:
            return
        changed, then = list(differing(before, snapshot)), Scope.of(before, self._scope.cluster)
        same = before.rules == snapshot.rules and then.exclusive.keys() == self._scope.exclusive.keys()
        if len(changed) > DETECT_MOST or not same:
            self._compared = None
            self.full()
            return
        self._marks.mark(changed)
        self._marks.mark(one.ref for one in self.reconciler.ledger.open)
        self._differed, self._compared = time.monotonic(), snapshot

    def _others(self) -> None:
        """Mark what is to be said otherwise although nobody has written to it: of mutators, of users of a class."""
        if (accused := self.reconciler.forms.accused) != self._accused:
            self._marks.mark({one.ref for one in (*accused, *self._accused)})
            self._accused = accused
        now = time.monotonic()
        if now < self._users_due:
            return
        self._users_due = now + DETECT_USERS_SECONDS
        about_users = [one.ref for one in self.reconciler.ledger.open if one.gpu]
        if about_users and (users := self.census()) is not None:
            if self._users is None or replace(users, at=self._users.at) != self._users:
                self._marks.mark(about_users)
            self._users = users

    def _look(self) -> None:
        """At what is due; what could not be seen is looked at again, and nobody has known of it since it was marked."""
        left = dict(self._marks.take())
        try:
            for some in portions(left):
                try:
                    unseen = self._look_at(some)
                except SetscrewError:
                    raise
                except Exception:  # noqa: BLE001 - what nobody foresaw is in one object, the others are not to wait for it
                    unseen = self._one_by_one(some)
                for ref in {*some}.difference(self._seen_soon(unseen)):
                    del left[ref]
        finally:
            self._marks.again(left, DETECT_RETRY_SECONDS)

    def _seen_soon(self, unseen: Collection[ObjectRef]) -> list[ObjectRef]:
        """Less those of a kind that cannot be watched: full passes look at them."""
        return [ref for ref in unseen if (ref.group, ref.kind) not in self.unwatched]

    def _look_at(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Store how these are; those that could not be seen."""
        found, scope, now = self.reconciler, self._scope, datetime.now(UTC)
        with found.ledger.look() as look:
            some = scan_some(self.client, scope, refs, now, found.forms.accused, self.census())
            entries = tuple(scope.entries[ref] for ref in refs if ref in scope.entries)
            if not all(entry.adopted for entry in entries):
                items = [item for item in some.found.values() if item is not None]
                found.decide(replace(scope.snapshot, entries=entries), items, scope.snapshot.sources)
            found.ledger.put(look, self._told(some.found), scope.snapshot, now)
        return some.unseen

    def _one_by_one(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """As `_look_at`; an object that fails for a reason that nobody foresaw is unknown, and the reason is its."""
        unseen = set[ObjectRef]()
        for ref in refs:
            try:
                unseen |= set(self._look_at((ref,)))
            except SetscrewError:
                raise
            except Exception as error:  # noqa: BLE001 - it is told in the finding
                unseen.add(ref)
                if (entry := self._scope.entries.get(ref)) is not None:
                    self._store_unknown([entry], f"it cannot be compared: {place(error)}")
        return unseen

    def _told(self, found: Mapping[str, DriftItem | None]) -> dict[str, DriftItem | None]:
        """Less what others look after: what its writer may put back, what Git has dropped."""
        ledger = self.reconciler.ledger
        if orphans := {one for one in found if ledger.state_of(one) == "orphaned"}:
            ledger.orphans.soon()
        entries = self._scope.entries
        return {
            one: item
            for one, item in found.items()
            if not (one in orphans if item is None else item.state == "missing" and self.settling(entries[item.ref]))
        }

    def _settle(self, snapshot: MemorySnapshot) -> None:
        """The report is about a new snapshot once all that it wants otherwise was looked at."""
        ledger = self.reconciler.ledger
        if self._compared is snapshot and ledger.digest != snapshot.digest and self._marks.oldest > self._differed:
            ledger.note(snapshot, self.reconciler.about(snapshot))
