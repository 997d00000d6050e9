"""Owns the count of users: from shrunk live objects to who uses which class. Must not judge, nor word anything."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.embedded.parser import Parser
from reconciler.gpu.dra.requests import CLAIM, TEMPLATE
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.operator_maps import named_maps
from reconciler.gpu.tolerant import text
from reconciler.gpu.users.devices import Devices, classes, devices
from reconciler.gpu.users.fleet import stand_ins
from reconciler.gpu.users.kinds import NAMESPACE
from reconciler.gpu.users.labels import owner
from reconciler.gpu.users.model import NOBODY, Census, ClassName, Users
from reconciler.gpu.users.nodes import node_classes
from reconciler.gpu.users.others import others
from reconciler.gpu.users.queues import Queues, queues
from reconciler.gpu.users.shrink import NEIGHBOURS
from reconciler.gpu.users.subject import Objects, State, Subject, made, subjects
from reconciler.gpu.users.tally import Tally
from reconciler.gpu.world import World
from reconciler.limits import CENSUS_CLASSES
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child, dig


def census(objects: Objects, unseen: Mapping[str, str], at: str, parse: Parser) -> Census:
    """Who uses which class in a cluster, as it was at `at` (RFC 3339). Never raises for a tree.

    `objects` are live ones as `shrink` leaves them; `unseen` are kinds that could not be read, with the reason.
    """
    world = World({}, parse, MigTable(), objects, clustered=True)
    ways, tally = _Ways(devices(objects), queues(objects), node_classes(world)), Tally()
    for subject in subjects(objects):
        tally.user(ways.of(subject), subject.state, subject.ref)
    for ref, state, names in _claims(objects):
        tally.user(names, state, ref)
    for node, names in ways.nodes.items():
        for name in (*names, *(ClassName("Resource", one) for one in ways.devices.by_node[node])):
            tally.node(name, node)
    for ref, name in others(world, ways.devices):
        tally.other(name, ref)
    owners = {ref.name: owner(tree) for ref, tree in objects.get(NAMESPACE, {}).items()}
    found, missing = _most_used(tally.sums(owners))
    neighbours = tuple(tree for kind in NEIGHBOURS for tree in objects.get(kind, {}).values())
    return Census(at, found, dict(unseen) | missing, (*neighbours, *_named_maps(world), *stand_ins(world)))


def _named_maps(world: World) -> tuple[Tree, ...]:
    """What the operator reads layouts and configurations from."""
    return tuple(dict(named_maps(world, "migManager") + named_maps(world, "devicePlugin")).values())


@dataclass(frozen=True, slots=True)
class _Ways:
    """All ways from a user to what it uses."""

    devices: Devices
    queues: Queues
    nodes: Mapping[str, tuple[ClassName, ...]]
    _known: dict[tuple[Hashable, ...], tuple[ClassName, ...]] = field(default_factory=dict)

    def of(self, subject: Subject) -> tuple[ClassName, ...]:
        """The classes that a subject uses, each once. Pods of one workload differ by node and by own groups."""
        own = self.queues.by_owner.get(subject.ref)
        sort = (subject.state, own, self.devices.by_node.get(subject.node), *_alike(subject))
        if sort not in self._known:
            self._known[sort] = tuple(self._anywhere(subject))
        found = self._known[sort]
        holds = ClassName("Namespace", subject.ref.namespace) in found
        return (*found, *self.nodes.get(subject.node, ())) if holds else found

    def _anywhere(self, subject: Subject) -> set[ClassName]:
        found = {*self.devices.of(subject), *self.queues.of(subject), *_named(subject)}
        if self.devices.holds_gpus(subject):
            found.add(ClassName("Namespace", subject.ref.namespace))
        return found


def _alike(subject: Subject) -> Iterator[Hashable]:
    """What tells one sort of subject from another: parts that are the same object are equal, which is cheap to ask."""
    yield subject.ref.namespace
    if subject.state == "templates":
        yield subject.ref
        return
    metadata, spec = child(subject.tree, "metadata"), child(subject.tree, "spec")
    parts = [child(metadata, key) for key in ("labels", "annotations", "ownerReferences")]
    parts += [child(spec, "containers"), child(spec, "resourceClaims"), child(subject.tree, "status")]
    yield from map(id, parts)
    yield from (text(spec, key) for key in ("runtimeClassName", "priorityClassName"))


def _named(subject: Subject) -> Iterator[ClassName]:
    for holder in subject.holders:
        if name := text(holder, "spec", "runtimeClassName"):
            yield ClassName("RuntimeClass", name)
        if name := text(holder, "spec", "priorityClassName"):
            yield ClassName("PriorityClass", name)


def _claims(objects: Objects) -> Iterator[tuple[ObjectRef, State, tuple[ClassName, ...]]]:
    """Claims that hold devices, and claims and templates of which somebody will."""
    for ref, tree in objects.get(CLAIM, {}).items():
        state: State = "claims" if isinstance(dig(tree, "status", "allocation"), dict) else "templates"
        if state == "claims" or not made(tree):
            yield ref, state, classes(ref, tree)
    for ref, tree in objects.get(TEMPLATE, {}).items():
        yield ref, "templates", classes(ref, tree)


def _most_used(found: Mapping[ClassName, Users]) -> tuple[dict[ClassName, Users], dict[str, str]]:
    """Within bounds. What is left out is said, so that nobody takes it for unused."""
    held = {name: users for name, users in found.items() if users != NOBODY}
    if len(held) <= CENSUS_CLASSES:
        return held, {}
    kept = sorted(held, key=lambda name: (-held[name].running - held[name].pending, name))[:CENSUS_CLASSES]
    return {name: held[name] for name in kept}, {"*": f"of {len(held)} classes only the {CENSUS_CLASSES} most used"}
