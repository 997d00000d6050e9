"""Owns which ConfigMaps a GPU operator's ClusterPolicy names, and what keys they have. Must not read documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.gpu.tolerant import text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child, dig

CONFIG_MAP: Final = ("", "ConfigMap")
NODE: Final = ("", "Node")
CLUSTER_POLICY: Final = ("nvidia.com", "ClusterPolicy")
Named = tuple[ObjectRef, Tree]


def named_maps(world: World, component: str) -> tuple[Named, ...]:
    """The ConfigMaps that ClusterPolicies name for a component (`migManager`, `devicePlugin`) that is not switched off.

    A ClusterPolicy does not say in which namespace; its status does, once the operator has taken it up.
    """
    wanted = {wish for one in world.of(*CLUSTER_POLICY) for wish in _wishes(one, world, component)}
    maps = world.of(*CONFIG_MAP) if wanted else ()
    return tuple((ref, tree) for ref, tree in maps if wanted & {(ref.name, ""), (ref.name, ref.namespace)})


def _wishes(policy: Named, world: World, component: str) -> Iterator[tuple[str, str]]:
    ref, tree = policy
    spec = dig(tree, "spec", component)
    name = text(spec, "config", "name")
    if name and child(spec, "enabled") is not False:
        yield name, text(world.live_twin(ref) or tree, "status", "namespace")


def entries(tree: Tree) -> dict[str, str]:
    """The texts that a ConfigMap holds, by key."""
    data = child(tree, "data")
    return {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}


def keys(tree: Tree) -> set[str]:
    """All keys of a ConfigMap, those of binary data too: each is a file where it is mounted."""
    parts: Iterable[Tree] = (child(tree, "data"), child(tree, "binaryData"))
    return {str(key) for part in parts if isinstance(part, dict) for key in part}
