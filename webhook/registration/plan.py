"""Owns what is asked about: for each entry, which resources and operations, and in which namespaces. Pure.

Must not know how an entry is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from reconciler.model.own import GROUP
from reconciler.model.ref import KindInfo
from reconciler.policy.model import FailurePolicy
from webhook.registration.kinds import CONFIGURING, DERIVED, OWN, built_in, is_namespace, is_pod
from webhook.registration.places import Guarded, Place, Reach, held, joined, reaches, with_contents, without

NAMESPACES: Final = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
DEFINITIONS: Final = KindInfo(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
SERVICES: Final = KindInfo("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)

_WRITES: Final = ("CREATE", "UPDATE", "DELETE")
_UPDATE: Final = ("UPDATE",)
_DELETE: Final = ("DELETE",)


class Entry(NamedTuple):
    """What tells one entry from another; sorts as the document is sorted."""

    group: str
    version: str
    part: str
    failure: FailurePolicy


class Asked(NamedTuple):
    """One resource (`deployments/scale`) of an entry and the operations on it."""

    scope: str
    operations: tuple[str, ...]
    resource: str

    @property
    def kind(self) -> str:
        """The resource without its subresource, as conditions see it."""
        return self.resource.partition("/")[0]

    @property
    def selected(self) -> bool:
        """True if a namespaceSelector has a say."""
        return self.scope == "Namespaced" or self.kind == NAMESPACES.resource


@dataclass(frozen=True, slots=True)
class Plan:
    """`asked`: in which namespaces, by entry and resource. `kinds`: what is guarded where."""

    kinds: Mapping[KindInfo, Reach]
    asked: dict[Entry, dict[Asked, Place]]

    def ask(self, kind: KindInfo, part: str, failure: FailurePolicy, asked: Asked, place: Place) -> None:
        """Ask about that, too, unless there is no place for it."""
        if place is None or place:
            entry = self.asked[Entry(kind.group, kind.version, part, failure)]
            entry[asked] = joined(entry.get(asked, frozenset()), place)

    def reach(self, kind: KindInfo) -> Place:
        """Where objects of that kind are guarded, in any version."""
        wanted = (kind.group, kind.resource)
        found = (reach for one, reach in self.kinds.items() if (one.group, one.resource) == wanted)
        return joined(*(place for reach in found for _, place in reach.failures))

    def has(self, kind: KindInfo) -> bool:
        """Whether objects of that kind are guarded, in any version."""
        return any((one.group, one.resource) == (kind.group, kind.resource) for one in self.kinds)


def planned(guarded: Collection[Guarded], present: Mapping[str, Collection[str]], quiet: Collection[str]) -> Plan:
    """What is asked for the sake of what is `guarded`; `present` is what discovery lists, by apiVersion."""
    kinds = reaches(guarded, quiet)
    declared = {(kind.group, kind.resource) for kind in kinds}
    kinds |= {kind: Reach(fail=None) for kind in OWN if (kind.group, kind.resource) not in declared}
    plan = Plan(kinds, defaultdict(dict))
    inside = held(guarded, kinds)
    for kind, reach in kinds.items():
        wide = with_contents(reach, inside, quiet) if is_namespace(kind) else reach
        _plan_kind(plan, kind, wide, _subresources(kind, present), quiet)
    _plan_namespaces(plan, inside)
    _plan_definitions(plan)
    _plan_derived(plan, guarded, quiet)
    return plan


def definitions_of(plan: Plan) -> list[str]:
    """Names of the CustomResourceDefinitions of what is guarded."""
    return [f"{kind.resource}.{kind.group}" for kind in plan.kinds if not built_in(kind)]


def groups_of(plan: Plan) -> set[str]:
    """API groups of what is guarded."""
    return {kind.group for kind in plan.kinds}


def _subresources(kind: KindInfo, present: Mapping[str, Collection[str]]) -> set[str]:
    prefix = f"{kind.resource}/"
    listed = {name.removeprefix(prefix) for name in present.get(kind.api_version, ()) if name.startswith(prefix)}
    return listed | set(kind.subresources)


def _plan_kind(plan: Plan, kind: KindInfo, reach: Reach, subresources: set[str], quiet: Collection[str]) -> None:
    scope = "Namespaced" if kind.namespaced else "Cluster"
    part = _part(kind)
    also = {"scale", *CONFIGURING.get((kind.group, kind.resource), ())}
    for failure, place in reach.failures:
        where = without(place, frozenset(quiet)) if part == "pods" else place
        plan.ask(kind, part, failure, Asked(scope, _WRITES, kind.resource), where)
        for name in subresources & also:
            plan.ask(kind, part, failure, Asked(scope, _UPDATE, f"{kind.resource}/{name}"), where)
        if kind.group == GROUP:
            # The status of a lever is no configuration, but people go by it: nobody else says what the guard does.
            plan.ask(kind, part, failure, Asked(scope, _UPDATE, f"{kind.resource}/status"), where)
        if "status" in subresources and built_in(kind):
            status = f"{part}-status".strip("-")
            plan.ask(kind, status, failure, Asked(scope, _UPDATE, f"{kind.resource}/status"), where)


def _part(kind: KindInfo) -> str:
    """Kinds whose namespaces are chosen in another way than those of the rest have entries of their own."""
    if is_namespace(kind):
        return "namespaces"
    return "pods" if is_pod(kind) else ""


def _plan_namespaces(plan: Plan, inside: Reach) -> None:
    """What takes guarded objects with it when it is deleted or finalized, declared itself or not."""
    vague = inside.fail is None or inside.ignore is None
    if vague and plan.has(NAMESPACES):
        return
    strictest = Reach(None) if inside.fail is None or inside.fail else Reach(ignore=None)
    for failure, place in (strictest if vague else inside).failures:
        where = without(place, plan.reach(NAMESPACES))
        plan.ask(NAMESPACES, "namespaces-held", failure, Asked("Cluster", _DELETE, "namespaces"), where)
        plan.ask(NAMESPACES, "namespaces-held", failure, Asked("Cluster", _UPDATE, "namespaces/finalize"), where)


def _plan_definitions(plan: Plan) -> None:
    """Definitions and services of what is guarded: deleted or changed, they take it along."""
    for kind in (one for one in (DEFINITIONS, SERVICES) if not plan.has(one)):
        # The guard's own kinds are always there, and theirs fails closed.
        plan.ask(kind, "definitions", "Fail", Asked("Cluster", _DELETE, kind.resource), None)
        # A network plugin brings its definitions up to date before any Pod starts, the guard's own among them.
        plan.ask(kind, "definitions", "Ignore", Asked("Cluster", _UPDATE, kind.resource), None)


def _plan_derived(plan: Plan, guarded: Iterable[Guarded], quiet: Collection[str]) -> None:
    """Where a policy asks who writes to what controllers derive from its objects."""
    places: dict[KindInfo, Place] = defaultdict(frozenset)
    for one in guarded:
        if one.policy.descendants == "Audit":
            for kind in DERIVED.get((one.kind.group, one.kind.resource), ()):
                places[kind] = joined(places[kind], None if one.place is None else frozenset({one.place}))
    for kind, place in places.items():
        known = plan.reach(kind)
        where = without(place, known)
        if where is None and known:
            continue
        where = without(where, frozenset(quiet)) if _part(kind) == "pods" else where
        part = f"{kind.resource}-derived"
        plan.ask(kind, part, "Ignore", Asked("Namespaced", _WRITES, kind.resource), where)
        for name in kind.subresources:
            plan.ask(kind, part, "Ignore", Asked("Namespaced", _UPDATE, f"{kind.resource}/{name}"), where)
