"""Owns what queues and quotas give of a class: guaranteed and at most. Must not know devices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from reconciler.gpu.queues import kueue
from reconciler.gpu.queues.amounts import number, shown
from reconciler.gpu.resources import BY_CLASS, IMPLICIT_RESOURCE, capped_class
from reconciler.gpu.tolerant import amount, mapping, node_labels, text
from reconciler.gpu.users.kinds import QUOTA
from reconciler.gpu.users.model import ClassName
from reconciler.gpu.world import World
from reconciler.model.tree import Tree, child, dig
from setscrew.gpu.capacity import counted, on_nodes
from setscrew.gpu.model import Capacity, Definition, What

_LISTED: Final = 20
_KAI: Final[tuple[tuple[str, What], ...]] = (("quota", "quota"), ("limit", "limit"))
_VOLCANO: Final[tuple[tuple[str, What], ...]] = (("deserved", "quota"), ("capability", "limit"))


def quotas_of(name: ClassName, world: World) -> Iterator[Capacity]:
    """The caps that ResourceQuotas set on a DeviceClass or an extended resource: some by namespace, others summed."""
    capped = world.once(_capped)
    caps = [cap for key in _keys(name) for cap in capped.get(key, ())]
    for namespace, most in caps[:_LISTED]:
        yield Capacity("quota", shown(most), name.name, f"in {namespace}")
    if rest := caps[_LISTED:]:
        total = sum((most for _, most in rest), Decimal(0))
        yield Capacity("quota", shown(total), name.name, f"in {counted(len(rest), 'more namespace')}")


def _capped(world: World) -> dict[str, list[tuple[str, Decimal]]]:
    """Key of ResourceQuotas → namespaces, each with its cap."""
    found: defaultdict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    for ref, tree in world.of(*QUOTA):
        for key, value in mapping(tree, "spec", "hard").items():
            most = amount(value)
            if most is not None:
                found[key].append((ref.namespace, most))
    return found


def _keys(name: ClassName) -> tuple[str, ...]:
    if name.family == "Resource":
        return (f"requests.{name.name}",)
    return (name.name + BY_CLASS, f"requests.{IMPLICIT_RESOURCE}{name.name}") if name.family == "DeviceClass" else ()


def of_namespace(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """What one quota caps of device classes and extended resources."""
    for key, value in mapping(one.tree, "spec", "hard").items():
        device_class = capped_class(key)
        most = amount(value)
        if most is not None and (device_class or (key.startswith("requests.") and "/" in key)):
            yield Capacity("quota", shown(most), device_class or key.removeprefix("requests."))


def of_kai(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """GPUs by quota and limit; -1 is unlimited, absent is 0."""
    gpu = dig(one.tree, "spec", "resources", "gpu")
    for field, what in _KAI:
        value = number(child(gpu, field))
        if value is not None:
            yield Capacity(what, "unlimited" if value == -1 else shown(value), "GPUs")


def of_volcano(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """What the queue deserves and may have at most, of extended resources."""
    for field, what in _VOLCANO:
        for name, value in _extended(mapping(one.tree, "spec", field)).items():
            yield Capacity(what, shown(value, name), name)


def _extended(amounts: dict[str, Tree]) -> dict[str, Decimal]:
    """The amounts of extended resources; of all where there are none."""
    read = {name: found for name, value in amounts.items() if (found := amount(value)) is not None}
    return {name: value for name, value in read.items() if "/" in name} or read


def of_quotas(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """The nominal quota of a ClusterQueue or Cohort by flavor, of extended resources where it has some."""
    yield from _nominal(one.tree)


def _nominal(tree: Tree) -> Iterator[Capacity]:
    found = [one for one in kueue.quotas(tree) if one.nominal is not None]
    extended = [one for one in found if "/" in one.resource]
    for one in extended or found:
        yield Capacity("quota", shown(one.nominal or Decimal(0), one.resource), one.resource, f"of flavor {one.flavor}")


def of_local_queue(one: Definition, _name: str, world: World) -> Iterator[Capacity]:
    """What the ClusterQueue behind it has."""
    queue = text(one.tree, "spec", "clusterQueue")
    if queue:
        yield Capacity("setting", queue, "ClusterQueue")
        yield from _nominal(world.find(*kueue.CLUSTER_QUEUE, queue))


def of_flavor(one: Definition, name: str, world: World) -> Iterator[Capacity]:
    """The nodes that it selects with what they offer, and what queues are promised of it."""
    wanted = mapping(one.tree, "spec", "nodeLabels")
    found = [node for _, labels, node in node_labels(world) if wanted.items() <= labels.items()]
    if found:
        yield Capacity("nodes", counted(len(found), "node"))
        yield from on_nodes(found)
    for resource, total in sorted(world.once(_promised).get(name, {}).items()):
        yield Capacity("quota", shown(total, resource), resource, "in all ClusterQueues and Cohorts")


def _promised(world: World) -> dict[str, dict[str, Decimal]]:
    """Flavor → resource → the sum of nominal quota."""
    sums: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for kind in (kueue.CLUSTER_QUEUE, kueue.COHORT):
        for _, tree in world.of(*kind):
            for one in kueue.quotas(tree):
                if one.nominal is not None and "/" in one.resource:
                    sums[one.flavor][one.resource] += one.nominal
    return {flavor: dict(found) for flavor, found in sums.items()}
