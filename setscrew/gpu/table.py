"""Owns the making of the table: which definitions are classes, and what is said of each. Must not read or print."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, get_args

from reconciler.gpu.users.model import NOBODY, ClassName, Family
from reconciler.gpu.users.rows import rows_of
from reconciler.gpu.users.subject import controller
from reconciler.gpu.users.told import as_json
from reconciler.gpu.users.touched import touched
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.model import GpuClass, Rules
from setscrew.gpu import capacity, queues
from setscrew.gpu.model import Capacity, Definition, Found, Row

FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
_Finder = Callable[[Definition, str, World], Iterator[Capacity]]
_FINDERS: Final[Mapping[Family, _Finder]] = {
    "DeviceClass": capacity.of_device_class,
    "ClaimTemplate": capacity.of_claim,
    "Claim": capacity.of_claim,
    "ComputeDomain": capacity.of_settings,
    "Resource": capacity.of_resource,
    "MigLayout": capacity.of_layout,
    "SharingConfig": capacity.of_sharing,
    "Driver": capacity.of_settings,
    "GpuNodes": capacity.of_settings,
    "Node": capacity.of_node,
    "RuntimeClass": capacity.of_settings,
    "PriorityClass": capacity.of_settings,
    "Namespace": queues.of_namespace,
    "KaiQueue": queues.of_kai,
    "ClusterQueue": queues.of_quotas,
    "LocalQueue": queues.of_local_queue,
    "Cohort": queues.of_quotas,
    "ResourceFlavor": queues.of_flavor,
    "VolcanoQueue": queues.of_volcano,
}
# Of these it says nothing that no definition of theirs was read.
_UNDEFINED: Final[frozenset[Family]] = frozenset(FAMILIES) - {
    *("ClaimTemplate", "Claim", "ComputeDomain", "Driver", "GpuNodes", "Node", "Namespace")
}
_GENERATED: Final = frozenset({"ResourceClaim", "ResourceClaimTemplate"})


def table(found: Found, rules: Rules) -> tuple[Row, ...]:
    """All classes, each once for each of its definitions, sorted by family, name and place."""
    rows = [row for one in found.definitions for row in _defined(one, found, rules)]
    known = {row.name for row in rows}
    others = (name for name in found.census.classes if name not in known and name.family in _UNDEFINED)
    rows += [_row(None, name, found, ()) for name in others]
    return tuple(sorted(rows, key=lambda row: (FAMILIES.index(row.name.family), row.name.name, row.place)))


def _defined(one: Definition, found: Found, rules: Rules) -> Iterator[Row]:
    parse = found.world.parse
    rows = () if _is_generated(one.ref, one.tree) else rows_of(rules, one.ref, one.tree, parse)
    for name in touched(one.ref, ABSENT, one.tree, parse) if rows else ():
        row = _row(one, name, found, rows)
        # A quota that names nothing of GPUs is none of theirs.
        if name.family != "Namespace" or row.capacity:
            yield row


def _row(one: Definition | None, name: ClassName, found: Found, rows: Sequence[GpuClass]) -> Row:
    said = as_json([name], found.census, rows)
    users = found.census.classes.get(name)
    return Row(
        name,
        one.ref if one else None,
        one.place if one else "",
        _capacity(one, name, found),
        users or (None if said["unknown"] else NOBODY),
        said["unknown"],
        said["effect"],
        said["trigger"],
    )


def _is_generated(ref: ObjectRef, tree: Tree) -> bool:
    """Claims that a controller has made are uses of a class, not classes."""
    return ref.kind in _GENERATED and controller(ref, tree) is not None


def _capacity(one: Definition | None, name: ClassName, found: Found) -> tuple[Capacity, ...]:
    world, lines = found.world, list[Capacity]()
    if name.family == "Resource":
        lines += capacity.of_resource(one, name.name, world)
    elif one is not None and name.family in _FINDERS:
        lines += _FINDERS[name.family](one, name.name, world)
    nodes = found.census.classes.get(name, NOBODY).nodes
    if nodes and name.family != "Node" and not any(line.what in ("nodes", "offered") for line in lines):
        lines.append(Capacity("nodes", capacity.counted(nodes, "node")))
    return (*lines, *queues.quotas_of(name, world))
