"""Owns whether a new revision may come in: what it would break, by the rules, that is not broken yet. Pure.

The rules see what all sources declare, each in the revision that counts, and the cluster as it is. So an error counts
against the source that newly brings it, wherever it shows; one that is there already, or that only the cluster has
brought, keeps no later revision out. Must not read or publish.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.gpu.checker import problems
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.problem import Problem
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.world import GroupKind, World, by_kind
from reconciler.loop.conditions import held
from reconciler.loop.reading import Good
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef, split_api_version
from reconciler.model.tree import Tree
from reconciler.render.embedded_loader import load_embedded
from reconciler.snapshot.model import MemorySnapshot, SourceState

_CODE: Final = "SS3101"
KindOf = Callable[[str, str, str], KindInfo | None]
Objects = dict[GroupKind, dict[ObjectRef, Tree]]
Error = tuple[str, ObjectRef]


def unknown(_group: str, _version: str, _kind: str) -> KindInfo | None:
    """No kind is known."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """What is known of the cluster: objects as `shrink` leaves them; `whole`: what is not among them does not exist."""

    objects: Mapping[GroupKind, Mapping[ObjectRef, Tree]] = field(default_factory=dict)
    whole: bool = False


_UNKNOWN: Final = Live()


def not_known() -> Live:
    """Nothing live is known."""
    return _UNKNOWN


def _unheard(_: Collection[Good]) -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one source declares, and where. `basis` is what that was read from: the same one says the same."""

    basis: object
    objects: Objects
    places: dict[ObjectRef, str]


@dataclass(slots=True)
class Ruling:
    """Judges revisions. `kind_of` tells of (group, version, kind) whether it has namespaces; `live` what is live.

    `prepare` is told what will be judged, and may take a moment to learn of the cluster.

    One thread at a time calls `check` and `goes`, any number `problems`.
    """

    mig: MigTable = field(default_factory=MigTable)
    kind_of: KindOf = unknown
    live: Callable[[], Live] = not_known
    prepare: Callable[[Collection[Good]], None] = _unheard
    _parts: dict[str, _Part] = field(default_factory=dict)
    _judged: tuple[tuple[object, ...], tuple[Problem, ...]] = ((), ())

    def check(self, new: Good, goods: Mapping[str, Good], enforced: MemorySnapshot) -> None:
        """Raises SourceError SS3101 where `new` breaks a rule that what counts until now does not break.

        `goods` are the revisions of all sources that could be read; of others, what is `enforced` counts. The first
        revision that a process reads is the one that was enforced before it, or is judged against that.
        """
        wrong, after = self._broken([new], goods, enforced)
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise held(new.source, f"it breaks a rule: {_told(wrong[0], after.values())}{more}", _CODE)

    def goes(self, news: Collection[Good], goods: Mapping[str, Good], enforced: MemorySnapshot) -> bool:
        """True where all of these together break no rule: then each may come in, judged once instead of one by one."""
        return not self._broken(news, goods, enforced)[0]

    def problems(self, goods: Mapping[str, Good], enforced: MemorySnapshot) -> tuple[str, ...]:
        """What is wrong with what counts now, a line each: warnings, and errors that were there or were confirmed.

        What is nowhere to be seen is wrong only where all of the cluster is seen.
        """
        parts, live = self._all(goods, enforced), self.live()
        found = (one for one in self._found(parts, {}, live) if one.severity != "info")
        return tuple(_told(one, parts.values()) for one in found if live.whole or not one.absent)

    def _broken(
        self, news: Collection[Good], goods: Mapping[str, Good], enforced: MemorySnapshot
    ) -> tuple[list[Problem], Mapping[str, _Part]]:
        """The errors that revisions bring, and all that is declared with them.

        What one source refers to may be in the cluster, or come with another source in a moment.
        """
        new = [one for one in news if one.state.name in goods or not one.state.same_as(_last(one, enforced))]
        if not new:
            return [], {}
        self.prepare(new)
        before, live = self._all(goods, enforced), self.live()
        after = {**before, **{one.state.name: self._of_good(one) for one in new}}
        gone = _retired((before[one.state.name] for one in new if one.state.name in before), after.values())
        wrong = _errors(self._found(after, gone, live))
        known = {(one.rule, one.ref) for one in self._found(before, {}, live)} if wrong else set()
        wrong = [one for one in wrong if (one.rule, one.ref) not in known]
        there = self._there(wrong, live)
        return [one for one in wrong if (one.rule, one.ref) not in there], after

    def _there(self, wrong: Iterable[Problem], live: Live) -> set[Error]:
        """The errors that objects have in the cluster already, among what is live: no revision brings them.

        Else nothing would be guarded of what somebody has broken before there was a guard.
        """
        twins = Objects()
        for ref in {one.ref for one in wrong}:
            if (twin := live.objects.get((ref.group, ref.kind), {}).get(ref)) is not None:
                twins.setdefault((ref.group, ref.kind), {})[ref] = twin
        found = problems(self._world(twins, live, {}), CHECKERS)
        return {(one.rule, one.ref) for one in found if not one.absent}

    def _all(self, goods: Mapping[str, Good], enforced: MemorySnapshot) -> dict[str, _Part]:
        carried = enforced.sources.keys() - goods.keys()
        parts = {name: self._carried(name, enforced) for name in sorted(carried)}
        parts |= {name: self._of_good(good) for name, good in goods.items()}
        self._parts = parts
        return dict(parts)

    def _of_good(self, good: Good) -> _Part:
        known = self._parts.get(good.state.name)
        if known is not None and known.basis is good:
            return known
        placed = [self._placed(one, good.spec.namespace or "default") for one in good.objects]
        return _part(good, ((one.tree, one.provenance.place, one.ref) for one in placed))

    def _carried(self, name: str, enforced: MemorySnapshot) -> _Part:
        known = self._parts.get(name)
        if known is not None and known.basis is enforced.entries:
            return known
        own = [entry.object for entry in enforced.entries if entry.source == name]
        return _part(enforced.entries, ((one.want, one.provenance.place, one.ref) for one in own))

    def _placed(self, one: RenderedObject, namespace: str) -> RenderedObject:
        group, version = split_api_version(one.api_version)
        kind = None if one.ref.namespace else self.kind_of(group, version, one.ref.kind)
        return one.with_namespace(namespace) if kind is not None and kind.namespaced else one

    def _found(self, parts: Mapping[str, _Part], retired: Objects, live: Live) -> tuple[Problem, ...]:
        """All problems; those of the same parts in the same cluster as the last time are known."""
        basis = (live, *(part.basis for part in parts.values()))
        known, found = self._judged
        if not retired and len(known) == len(basis) and all(map(_is, known, basis)):
            return found
        found = tuple(problems(self._world(_desired(parts), live, retired), CHECKERS))
        if not retired:
            self._judged = basis, found
        return found

    def _world(self, desired: Objects, live: Live, retired: Objects) -> World:
        return World(desired, load_embedded, self.mig, live.objects, clustered=live.whole, retired=retired)


def _desired(parts: Mapping[str, _Part]) -> Objects:
    found: Objects = {}
    for part in parts.values():
        for kind, objects in part.objects.items():
            found[kind] = {**objects, **found.get(kind, {})}
    return found


def _errors(found: Iterable[Problem]) -> list[Problem]:
    return [one for one in found if one.severity == "error" and not one.absent]


def _last(good: Good, enforced: MemorySnapshot) -> SourceState | None:
    return enforced.sources.get(good.state.name)


def _is(one: object, other: object) -> bool:
    return one is other


def _part(basis: object, objects: Iterable[tuple[Tree, str, ObjectRef]]) -> _Part:
    listed = list(objects)
    return _Part(basis, by_kind(tree for tree, _, _ in listed), {ref: place for _, place, ref in listed})


def _retired(before: Iterable[_Part], after: Iterable[_Part]) -> Objects:
    """What sources have declared and nobody does any more."""
    still, gone = set[ObjectRef]().union(*(part.places for part in after)), Objects()
    for part in before:
        for kind, objects in part.objects.items():
            if left := {ref: tree for ref, tree in objects.items() if ref not in still}:
                gone[kind] = {**left, **gone.get(kind, {})}
    return gone


def _told(problem: Problem, parts: Iterable[_Part]) -> str:
    """One line: rule, object, place, what is wrong, what to do."""
    place = next((part.places[problem.ref] for part in parts if problem.ref in part.places), "")
    where = f"{problem.ref} ({place})" if place else str(problem.ref)
    return f"{problem.rule} in {where}: {problem.message}; {problem.fix}"
