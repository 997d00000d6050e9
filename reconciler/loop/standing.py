"""Owns what an installation has decided of its sources and objects: modes, adoption. Must not compare or publish.

Decided once, and remembered in the state store. Until a new source has been compared it refuses nothing; a new object
of an enforced source is looked at before the snapshot with it is published, or, where they are many, by the next scan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from reconciler.errors import ClusterError
from reconciler.limits import SIGHTS_QUICKLY
from reconciler.loop.assemble import policy_of
from reconciler.model.instant import stamp
from reconciler.model.own import GROUP
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Rules
from reconciler.report.drift import DriftItem
from reconciler.report.standing import Mode, Seen, Sight, differing, mode_of, seen, sighted, watched
from reconciler.snapshot.model import Entry, MemorySnapshot, SourceState
from reconciler.store.standing import read_modes, read_sights, save_standing
from reconciler.store.state import State


@dataclass(slots=True)
class Standing:
    """`scan_entries` tells how entries stand in the cluster, None where there is none; raises ClusterError.

    `by_word`: every source is enforced when it is first met. `last` is what the process before this one has published.
    """

    state: State
    say: Callable[[str], None]
    scan_entries: Callable[[MemorySnapshot], Collection[DriftItem] | None]
    by_word: bool = False
    last: MemorySnapshot | None = None
    _modes: dict[str, bool] = field(init=False)
    _sights: dict[ObjectRef, Sight] = field(init=False)
    _met: set[str] = field(default_factory=set)
    _wholly: set[str] = field(default_factory=set)
    _unsaved: dict[ObjectRef, Sight | None] = field(default_factory=dict)
    _unsaved_modes: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._modes, self._sights = read_modes(self.state), read_sights(self.state)
        for name, enforced in sorted(self._modes.items()):
            if not enforced and not self.by_word:
                self.say(f"source {name} is watched: nothing of it is refused until `setscrew enforce {name}`")
        if self.last is not None:
            self._take_over(self.last)
            self.last = None

    def mode(self, name: str) -> Mode:
        """A source is new until it has been compared."""
        return mode_of(self._modes.get(name))

    def applied(self, snapshot: MemorySnapshot) -> MemorySnapshot:
        """The snapshot as it is to be published: new objects decided on, what is watched or not adopted marked so."""
        if self.by_word:
            self._take_by_word(snapshot.sources.keys() - self._met)
        self._met |= snapshot.sources.keys()
        self._forget(snapshot)
        self._meet(snapshot)
        self._wholly -= snapshot.sources.keys()
        self._save(snapshot)
        entries = tuple(self._placed(entry, snapshot.rules) for entry in snapshot.entries)
        sources = {name: self._stated(name, one) for name, one in snapshot.sources.items()}
        return replace(snapshot, entries=entries, sources=sources)

    def scanned(self, snapshot: MemorySnapshot, items: Collection[DriftItem], unasked: Collection[str]) -> bool:
        """Decide by a comparison of all of `snapshot`; True if it is to be published anew.

        `unasked` are sources with forms that the server was not asked about yet: what is unknown of them may be none.
        """
        for name in snapshot.sources:
            if name not in self._modes and name not in unasked:
                self._first_comparison(name, differing(items, name), sum(item.source.name == name for item in items))
        self._decide((entry for entry in snapshot.entries if self._waits(entry)), seen(items))
        return self._save(snapshot)

    def switch(self, name: str, *, enforced: bool) -> None:
        """Enforce all of a source, its objects adopted but those that a policy never adopts; or refuse nothing of it.

        It holds for the next snapshot that is `applied`.
        """
        self._set(name, enforced=enforced)
        if enforced:
            self._wholly.add(name)
        else:
            self._drop(ref for ref, one in self._sights.items() if one.source == name)

    def switched(self, names: Collection[str], *, enforced: bool) -> dict[str, tuple[Mode, Mode]]:
        """`switch` for several; their modes before and after."""
        before = {name: self.mode(name) for name in names}
        for name in names:
            self.switch(name, enforced=enforced)
        return {name: (before[name], self.mode(name)) for name in names}

    def _first_comparison(self, name: str, different: int, objects: int) -> None:
        self._set(name, enforced=not different)
        if different:
            self.say(
                f"source {name}: watched, for {different} of {objects} objects differ from Git: nothing of it is "
                f"refused until `setscrew enforce {name}` (what differs: setscrew drift --source {name})"
            )
        else:
            self.say(f"source {name}: enforced, for no object of it in the cluster differs from Git")

    def _take_by_word(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            if not self._modes.get(name):
                self.switch(name, enforced=True)
                self.say(f"source {name}: enforced from the start, as --enforce says")

    def _waits(self, entry: Entry) -> bool:
        sight = self._sights.get(entry.object.ref)
        return bool(self._modes.get(entry.source)) and (sight is None or not sight.adopted)

    def _meet(self, snapshot: MemorySnapshot) -> None:
        """Decide on objects of enforced sources that are seen for the first time, or that are enforced by word now."""
        waiting = (entry for entry in snapshot.entries if self._waits(entry))
        new = [one for one in waiting if one.object.ref not in self._sights or one.source in self._wholly]
        asked = tuple(one for one in new if not self._is_adopted_unseen(one))
        self._adopt(one for one in new if self._is_adopted_unseen(one))
        # While the cluster does not answer it asks nobody for admission either; then the next scan decides.
        with suppress(ClusterError):
            found = self.scan_entries(replace(snapshot, entries=asked[:SIGHTS_QUICKLY])) if asked else []
            if found is None:
                self._adopt(asked)
            else:
                self._decide(asked, seen(found))

    def _is_adopted_unseen(self, entry: Entry) -> bool:
        return entry.policy.adopt == "Always" or (entry.source in self._wholly and entry.policy.adopt != "Never")

    def _adopt(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._keep(entry.object.ref, Sight(entry.source, adopted=True))

    def _decide(self, entries: Iterable[Entry], found: Mapping[ObjectRef, Seen]) -> None:
        for entry in entries:
            ref = entry.object.ref
            if ref in found:
                before = self._sights.get(ref)
                sight = sighted(entry.policy, entry.source, found[ref], before)
                if sight is not None and sight != before:
                    self._keep(ref, sight)

    def _placed(self, entry: Entry, rules: Rules) -> Entry:
        if entry.object.ref.group == GROUP:
            # What steers the guard itself stays guarded, whatever becomes of the source that declares it.
            return entry
        if not self._modes.get(entry.source):
            return Entry(entry.object, watched(entry.policy))
        sight = self._sights.get(entry.object.ref)
        adopted, policy = sight is not None and sight.adopted, entry.policy
        if policy.action == "Audit":
            # One that is carried over may have been watched when it was published.
            policy = policy_of(entry.object, rules) or policy
        return Entry(entry.object, policy, adopted)

    def _stated(self, name: str, source: SourceState) -> SourceState:
        enforced = bool(self._modes.get(name))
        return source if source.enforced == enforced else replace(source, enforced=enforced)

    def _take_over(self, last: MemorySnapshot) -> None:
        """What a version without modes has published was enforced, and is."""
        for name, source in last.sources.items():
            if source.enforced and name not in self._modes:
                self._set(name, enforced=True)
        for entry in last.entries:
            if self._modes.get(entry.source) and entry.object.ref not in self._sights:
                self._keep(entry.object.ref, Sight(entry.source, entry.adopted))

    def _forget(self, snapshot: MemorySnapshot) -> None:
        """Let go what the sources that were read declare no longer."""
        declared = {entry.object.ref for entry in snapshot.entries}
        read = snapshot.sources
        self._drop(ref for ref, one in self._sights.items() if ref not in declared and one.source in read)

    def _keep(self, ref: ObjectRef, sight: Sight) -> None:
        self._sights[ref] = self._unsaved[ref] = sight

    def _drop(self, refs: Iterable[ObjectRef]) -> None:
        for ref in list(refs):
            del self._sights[ref]
            self._unsaved[ref] = None

    def _set(self, name: str, *, enforced: bool) -> None:
        self._modes[name] = self._unsaved_modes[name] = enforced

    def _save(self, snapshot: MemorySnapshot) -> bool:
        """Remember what is new; True if anything is."""
        if not self._unsaved and not self._unsaved_modes:
            return False
        commits = {name: one.commit for name, one in snapshot.sources.items()}
        save_standing(self.state, self._unsaved_modes, self._unsaved, stamp(datetime.now(UTC)), commits)
        self._unsaved.clear()
        self._unsaved_modes.clear()
        return True
