"""Owns which classes a change of an object redefines, creates or takes away. Must not say who uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from reconciler.embedded.document import documents_in
from reconciler.embedded.parser import Parser
from reconciler.gpu.dra.names import extended_resource
from reconciler.gpu.dra.requests import CLAIM, DEVICE_CLASS, SLICE, TEMPLATE
from reconciler.gpu.mig.name import parse_name, resource_of
from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE
from reconciler.gpu.queues import kai, volcano
from reconciler.gpu.queues.kueue import CLUSTER_QUEUE, COHORT, FLAVOR
from reconciler.gpu.sharing.config import read_config
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.users.kinds import (
    COMPUTE_DOMAIN,
    DEVICE_CONFIG,
    DRIVER,
    GPU_CLUSTER,
    LOCAL_QUEUE,
    PRIORITY_CLASS,
    QUOTA,
    RUNTIME_CLASS,
)
from reconciler.gpu.users.labels import SELECTING
from reconciler.gpu.users.model import ClassName, Family
from reconciler.gpu.users.others import mapped
from reconciler.gpu.world import GroupKind
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig, strict_equal

_POOL: Final = "kai.scheduler/node-pool"
_BY_NAME: Final[Mapping[GroupKind, Family]] = {
    DEVICE_CLASS: "DeviceClass",
    TEMPLATE: "ClaimTemplate",
    CLAIM: "Claim",
    COMPUTE_DOMAIN: "ComputeDomain",
    DRIVER: "Driver",
    DEVICE_CONFIG: "Driver",
    RUNTIME_CLASS: "RuntimeClass",
    PRIORITY_CLASS: "PriorityClass",
    kai.KIND: "KaiQueue",
    volcano.KIND: "VolcanoQueue",
    CLUSTER_QUEUE: "ClusterQueue",
    LOCAL_QUEUE: "LocalQueue",
    COHORT: "Cohort",
    FLAVOR: "ResourceFlavor",
}
_Change = Callable[[str, Tree, Tree], Iterator[ClassName]]
_ALL_NODES: Final = frozenset({CLUSTER_POLICY, GPU_CLUSTER})


def touched(ref: ObjectRef, was: Tree, now: Tree, parse: Parser) -> tuple[ClassName, ...]:
    """The classes that a change from `was` to `now` is about, each once; either may be ABSENT. Never raises for a tree.

    () for what defines none, and where only metadata or status differ; of a claim each part counts.
    """
    kind = (ref.group, ref.kind)
    if kind in (CONFIG_MAP, NODE):
        found = _config_map(was, now, parse) if kind == CONFIG_MAP else _node(ref, was, now)
    elif _same(_defining(kind, was), _defining(kind, now)):
        return ()
    else:
        found = _named(kind, ref, was, now)
    return tuple(dict.fromkeys(found))


def _defining(kind: GroupKind, tree: Tree) -> Tree:
    """All but metadata and status; of a queue of KAI also the label that puts it into a pool."""
    if kind == CLAIM or not isinstance(tree, dict):
        return tree
    kept = {key: value for key, value in tree.items() if key not in ("apiVersion", "metadata", "status")}
    return kept | {_POOL: dig(tree, "metadata", "labels", _POOL)}


def _same(was: Tree, now: Tree) -> bool:
    try:
        return strict_equal(was, now)
    except RecursionError:
        return False


def _named(kind: GroupKind, ref: ObjectRef, was: Tree, now: Tree) -> Iterator[ClassName]:
    if kind in _BY_NAME:
        yield ClassName(_BY_NAME[kind], f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name)
    if kind == DEVICE_CLASS:
        names = (extended_resource(was), extended_resource(now))
        yield from (ClassName("Resource", name) for name in names if name)
    elif kind in _ALL_NODES:
        yield ClassName("GpuNodes", "")
    elif kind == QUOTA:
        yield ClassName("Namespace", ref.namespace)
    elif kind == SLICE:
        names = (text(was, "spec", "nodeName"), text(now, "spec", "nodeName"))
        yield from (ClassName("Node", name) for name in names if name)
    elif ref.kind == "DeviceTaintRule":
        yield from (_tainted(tree) for tree in (was, now) if tree is not ABSENT)


def _tainted(tree: Tree) -> ClassName:
    """A pool of devices that belong to a node goes by the name of the node."""
    pool = text(tree, "spec", "deviceSelector", "pool")
    return ClassName("Node", pool) if pool else ClassName("GpuNodes", "")


def _node(ref: ObjectRef, was: Tree, now: Tree) -> Iterator[ClassName]:
    before, after = (mapping(tree, "metadata", "labels") for tree in (was, now))
    if any(before.get(label) != after.get(label) for label in SELECTING):
        yield ClassName("Node", ref.name)


def _config_map(was: Tree, now: Tree, parse: Parser) -> Iterator[ClassName]:
    before, after = (_documents(tree, parse) for tree in (was, now))
    for key in dict.fromkeys((*before, *after)):
        for form in dict.fromkeys(held[key][0] for held in (before, after) if key in held):
            trees = tuple(held[key][1] if key in held and held[key][0] == form else ABSENT for held in (before, after))
            yield from _FORMATS.get(form, _unknown)(key, *trees)
    classes = (mapped(tree, parse) for tree in (was, now))
    yield from _remapped(*classes)


def _documents(tree: Tree, parse: Parser) -> dict[str, tuple[str, Tree]]:
    found, _ = documents_in(tree, CONFIG_MAP[1], parse)
    return {place[-1]: (document.format, document.tree) for place, document in found.items()}


def _unknown(_: str, _was: Tree, _now: Tree) -> Iterator[ClassName]:
    return iter(())


def _layouts(_: str, was: Tree, now: Tree) -> Iterator[ClassName]:
    """Layouts that differ, and the slices that they had or get: what Pods ask for by name."""
    before, after = (mapping(tree, "mig-configs") for tree in (was, now))
    for name in _differing(before, after):
        yield ClassName("MigLayout", name)
        had, has = _slices(before.get(name)), _slices(after.get(name))
        yield from (ClassName("Resource", resource) for resource in sorted(had ^ has))


def _slices(entries: Tree) -> set[str]:
    profiles = (profile for _, entry in mappings({"": entries}, "") for profile in mapping(entry, "mig-devices"))
    named = (parse_name(profile) for profile in profiles)
    return {resource_of(str(name)) for name in named if name is not None and name.whole}


def _sharing(key: str, was: Tree, now: Tree) -> Iterator[ClassName]:
    """A configuration that differs, and the resources that it renames."""
    if not _same(was, now):
        yield ClassName("SharingConfig", key)
        before, after = ({share.offered for share in read_config(tree).shares} for tree in (was, now))
        yield from (ClassName("Resource", name) for name in sorted(before ^ after))


def _profiles(below: str) -> _Change:
    """Profiles that nodes choose by a label."""

    def change(_: str, was: Tree, now: Tree) -> Iterator[ClassName]:
        names = _differing(mapping(was, below), mapping(now, below))
        yield from (ClassName("GpuProfile", name) for name in names)

    return change


def _hami(_: str, was: Tree, now: Tree) -> Iterator[ClassName]:
    if not _same(was, now):
        yield ClassName("GpuNodes", "")


def _remapped(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> Iterator[ClassName]:
    for resource in _differing(before, after):
        names = {*before.get(resource, ()), *after.get(resource, ())}
        yield from (ClassName("DeviceClass", name) for name in sorted(names))


def _differing(before: Mapping[str, Tree], after: Mapping[str, Tree]) -> list[str]:
    both = dict.fromkeys((*before, *after))
    return [name for name in both if not _same(before.get(name, ABSENT), after.get(name, ABSENT))]


_FORMATS: Final[Mapping[str, _Change]] = {
    "mig-parted": _layouts,
    "device-plugin": _sharing,
    "amd-dcm": _profiles("gpu-config-profiles"),
    "vgpu": _profiles("vgpu-configs"),
    "hami": _hami,
}
