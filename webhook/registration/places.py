"""Owns where objects of a kind are guarded: in named namespaces, or anywhere. Pure. Must not build rules.

A Namespace stands in itself: its place is its own name, as the API server's namespaceSelector has it, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from reconciler.model.ref import KindInfo
from reconciler.policy.model import FailurePolicy, Policy, Rules
from reconciler.policy.select import any_kind
from reconciler.snapshot.model import Entry
from webhook.registration.kinds import UNDECLARED, always_ignores, is_namespace, is_pod, never_registered

SYSTEM_NAMESPACES: Final = ("kube-node-lease", "kube-public", "kube-system")
Place = frozenset[str] | None
"""Names of namespaces; None is anywhere, and what cluster-scoped kinds have."""


class Guarded(NamedTuple):
    """One guarded object as far as registering goes; `place` None: it may be in any namespace."""

    kind: KindInfo
    policy: Policy
    place: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> Guarded:
        """What registering needs to know of an entry of a snapshot."""
        kind, ref = entry.object.kind, entry.object.ref
        return cls(kind, entry.policy, ref.name if is_namespace(kind) else ref.namespace)

    @property
    def judged(self) -> str | None:
        """Where its kind is judged: an exclusive one also where Git declares none of it, but not outside its policy."""
        if not self.kind.namespaced and not is_namespace(self.kind):
            return None
        return None if self.policy.exclusive and not _named_places(self.policy, self.kind) else self.place


@dataclass(frozen=True, slots=True)
class Reach:
    """Where one kind is guarded, by what a call that fails is to do; `fail` and `ignore` never overlap."""

    fail: Place = frozenset()
    ignore: Place = frozenset()

    @property
    def failures(self) -> list[tuple[FailurePolicy, Place]]:
        """Both, as far as there is any place for it."""
        both: list[tuple[FailurePolicy, Place]] = [("Fail", self.fail), ("Ignore", self.ignore)]
        return [(failure, place) for failure, place in both if place is None or place]


def guarded_by(entries: Iterable[Entry], rules: Rules) -> list[Guarded]:
    """What is asked about for the sake of a snapshot: its objects, and kinds that are exclusive without any."""
    exclusive = [policy for policy in rules.policies if policy.exclusive and policy.once]
    beside = [
        Guarded(kind, policy, place)
        for policy in exclusive
        for kind in UNDECLARED
        if any(any_kind(match.kinds, kind.group, kind.kind) for match in policy.match)
        for place in (_named_places(policy, kind) or (None,))
    ]
    return distinct([*map(Guarded.of, entries), *beside])


def _named_places(policy: Policy, kind: KindInfo) -> list[str]:
    """The namespaces to which a policy keeps with objects of a kind; none where it does not name each by its name."""
    found = [match.namespaces for match in policy.match if any_kind(match.kinds, kind.group, kind.kind)]
    names = {name for names in found for name in names}
    return sorted(names) if all(found) and not any(set(name) & set("*?[") for name in names) else []


def never_asked(kind: KindInfo, namespace: str) -> bool:
    """True for what no entry is about though Git declares it: for kinds anywhere, for Pods where a cluster starts."""
    return bool(never_registered(kind)) or (is_pod(kind) and namespace in SYSTEM_NAMESPACES)


def joined(*places: Place) -> Place:
    """All of these places."""
    return None if None in places else frozenset[str]().union(*(place for place in places if place is not None))


def without(place: Place, other: Place) -> Place:
    """`place` less `other`; anywhere less named ones stays anywhere, since a selector cannot say it of one kind."""
    if other is None:
        return frozenset()
    return None if place is None else place - other


def reaches(guarded: Iterable[Guarded], quiet: Collection[str]) -> dict[KindInfo, Reach]:
    """Where each kind is guarded. A rule cannot tell objects apart: the strictest policy of a place holds for it.

    In `quiet` namespaces no call that fails may refuse: a cluster starts from there.
    """
    found: dict[tuple[str, str, str], dict[str | None, FailurePolicy]] = defaultdict(dict)
    kinds: dict[tuple[str, str, str], KindInfo] = {}
    for one in guarded:
        kind, policy, place = one.kind, one.policy, one.judged
        if never_registered(kind):
            continue
        key = (kind.group, kind.version, kind.resource)
        known = kinds.get(key, kind)
        kinds[key] = replace(known, subresources=tuple(sorted({*known.subresources, *kind.subresources})))
        strict = policy.failure_policy == "Fail" and not always_ignores(kind) and place not in quiet
        found[key][place] = "Fail" if strict or found[key].get(place) == "Fail" else "Ignore"
    return {kinds[key]: _reach(places) for key, places in found.items()}


def held(guarded: Iterable[Guarded], kinds: Mapping[KindInfo, Reach]) -> Reach:
    """Namespaces that hold guarded objects, of whatever kind."""
    strict: dict[tuple[str, str], Place] = defaultdict(frozenset)
    for kind, reach in kinds.items():
        strict[kind.group, kind.resource] = joined(strict[kind.group, kind.resource], reach.fail)
    failing, all_of_them = [], []
    for one in guarded:
        # What is exclusive anywhere, without Git declaring any of it, is in no namespace yet.
        if one.kind.namespaced and not (one.policy.once and one.place is None):
            place: Place = None if one.place is None else frozenset({one.place})
            stops = strict[one.kind.group, one.kind.resource]
            all_of_them.append(place)
            failing += [place] if stops is None or (place and place <= stops) else []
    fail = joined(*failing)
    return Reach(fail, without(joined(*all_of_them), fail))


def with_contents(namespaces: Reach, inside: Reach, quiet: Collection[str]) -> Reach:
    """Where Namespaces are asked about, as strictly as what is `inside` them: a Namespace takes it along."""
    if None in (inside.fail, inside.ignore):
        # Without names of namespaces two entries would ask about the same Namespace.
        return Reach(fail=None) if namespaces.fail or inside.fail is None or inside.fail else Reach(ignore=None)
    if namespaces.ignore is None or inside.fail is None:
        return namespaces
    fail = namespaces.ignore & inside.fail.difference(quiet)
    return Reach(joined(namespaces.fail, fail), namespaces.ignore - fail)


def distinct(guarded: Iterable[tuple[KindInfo, Policy] | Guarded]) -> list[Guarded]:
    """One of each that registering tells apart; a pair of kind and policy may be anywhere."""
    # Policies are shared by the objects that they guard, and slow to compare.
    found = {}
    for one in (Guarded(*one) for one in guarded):
        kind = one.kind
        found[kind.group, kind.version, kind.resource, kind.subresources, id(one.policy), one.place] = one
    return list(found.values())


def _reach(places: Mapping[str | None, FailurePolicy]) -> Reach:
    strict = frozenset(place for place, failure in places.items() if place is not None and failure == "Fail")
    if None in places:
        return Reach(fail=None) if strict or places[None] == "Fail" else Reach(ignore=None)
    return Reach(strict, frozenset(place for place in places if place is not None) - strict)
