"""Owns which classes set up a node: its MIG layout, its sharing, its driver, by labels and defaults. No counting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.gpu.dra.requests import SLICE
from reconciler.gpu.operator_maps import CLUSTER_POLICY, NODE, keys, named_maps
from reconciler.gpu.resources import offered
from reconciler.gpu.tolerant import mapping, selects, text
from reconciler.gpu.users.devices import VENDORS
from reconciler.gpu.users.kinds import DEVICE_CONFIG, DRIVER
from reconciler.gpu.users.labels import (
    AMD_PRESENT,
    DRIVER_OWNER,
    GPU_PRESENT,
    MIG_CONFIG,
    PLUGIN_CONFIG,
    PROFILES,
    SETTING_UP,
)
from reconciler.gpu.users.model import ClassName
from reconciler.gpu.users.subject import Objects
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig

_GPU_DRIVERS: Final = frozenset({"gpu.nvidia.com", "gpu.amd.com", "gpu.intel.com"})


def node_classes(world: World) -> dict[str, tuple[ClassName, ...]]:
    """GPU node → the classes that set it up, itself among them. `world` holds live objects only."""
    inventory = world.live.get(SLICE, {}).values()
    published = {text(one, "spec", "nodeName") for one in inventory if text(one, "spec", "driver") in _GPU_DRIVERS}
    layout, sharing = _default(world, "migManager"), _default(world, "devicePlugin") or _only_key(world)
    found: dict[str, tuple[ClassName, ...]] = {}
    for ref, node in world.live.get(NODE, {}).items():
        labels = mapping(node, "metadata", "labels")
        if ref.name in published or _has_gpus(labels, node):
            defaults = (layout, sharing) if _is_nvidia(labels, node) else ("", "")
            selected = _selected(labels, *defaults)
            found[ref.name] = (
                ClassName("Node", ref.name),
                ClassName("GpuNodes", ""),
                *selected,
                *_drivers(labels, world.live),
            )
    return found


def _has_gpus(labels: Mapping[str, Tree], node: Tree) -> bool:
    present = labels.get(GPU_PRESENT) == "true" or labels.get(AMD_PRESENT) == "true"
    return present or bool(_setting_up(labels)) or any(name.startswith(VENDORS) for name in offered(node))


def _is_nvidia(labels: Mapping[str, Tree], node: Tree) -> bool:
    named = (*_setting_up(labels), *offered(node))
    return labels.get(GPU_PRESENT) == "true" or any(name.startswith(VENDORS[0]) for name in named)


def _setting_up(labels: Mapping[str, Tree]) -> list[str]:
    return [label for label in SETTING_UP if text(labels, label)]


def _selected(labels: Mapping[str, Tree], layout: str, sharing: str) -> Iterator[ClassName]:
    """What labels select; a node of NVIDIA's without a label gets the default."""
    if name := text(labels, MIG_CONFIG) or layout:
        yield ClassName("MigLayout", name)
    if name := text(labels, PLUGIN_CONFIG) or sharing:
        yield ClassName("SharingConfig", name)
    for label in PROFILES:
        if name := text(labels, label):
            yield ClassName("GpuProfile", name)


def _default(world: World, component: str) -> str:
    """What a ClusterPolicy gives to nodes without a label."""
    policies = world.live.get(CLUSTER_POLICY, {}).values()
    return next(filter(None, (text(one, "spec", component, "config", "default") for one in policies)), "")


def _only_key(world: World) -> str:
    """What the device plugin takes where no default is set: the key `default`, else the only one."""
    for _, tree in named_maps(world, "devicePlugin"):
        held = keys(tree)
        if "default" in held or len(held) == 1:
            return "default" if "default" in held else next(iter(held))
    return ""


def _drivers(labels: Mapping[str, Tree], objects: Objects) -> Iterator[ClassName]:
    if labels.get(GPU_PRESENT) == "true":
        wanting = [text(labels, DRIVER_OWNER)] if text(labels, DRIVER_OWNER) else _wanting(labels, objects)
        yield from (ClassName("Driver", name) for name in wanting)
    for ref, tree in objects.get(DEVICE_CONFIG, {}).items():
        selector = mapping(tree, "spec", "selector") or {AMD_PRESENT: "true"}
        if selects(selector, labels):
            yield ClassName("Driver", f"{ref.namespace}/{ref.name}")


def _wanting(labels: Mapping[str, Tree], objects: Objects) -> Sequence[str]:
    """The drivers that want a node by their selectors, else the default one."""
    by_default: dict[bool, list[tuple[ObjectRef, Tree]]] = {True: [], False: []}
    for ref, tree in objects.get(DRIVER, {}).items():
        by_default[dig(tree, "spec", "default") is True].append((ref, tree))
    fitting = [ref.name for ref, tree in by_default[False] if selects(mapping(tree, "spec", "nodeSelector"), labels)]
    return fitting or [ref.name for ref, _ in by_default[True]]
