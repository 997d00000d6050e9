"""Owns which ConfigMaps configure the device plugin, key by key, and which nodes use a key. Must not judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE, entries, keys, named_maps
from reconciler.gpu.sharing.config import Config, looks_so, read_config
from reconciler.gpu.tolerant import text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

SELECTS: Final = "nvidia.com/device-plugin.config"
LABEL: Final = ("metadata", "labels", SELECTS)
_HINTS: Final = ("timeSlicing", "mps", "migStrategy")


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap of the device plugin. `named`: a ClusterPolicy names it, so that each of its keys is a configuration.

    `errors`: why a key's document cannot be parsed.
    """

    ref: ObjectRef
    named: bool
    keys: frozenset[str]
    configs: Mapping[str, Config]
    errors: Mapping[str, str]


def config_maps(world: World) -> dict[ObjectRef, ConfigMap]:
    """All ConfigMaps of the device plugin."""
    named = {ref for ref, _ in named_maps(world, "devicePlugin")}
    found = ((ref, config_map(world, ref, tree, named=ref in named)) for ref, tree in world.of(*CONFIG_MAP))
    return {ref: one for ref, one in found if one is not None}


def config_map(world: World, ref: ObjectRef, tree: Tree, *, named: bool) -> ConfigMap | None:
    """`tree` as a ConfigMap of the device plugin; None where it is none."""
    configs, errors = dict[str, Config](), dict[str, str]()
    for key, held in entries(tree).items():
        if not named and not any(hint in held for hint in _HINTS):
            continue
        try:
            document = world.parse(held)
        except ValueError as error:
            if named:
                errors[key] = str(error) or "it is no YAML"
            continue
        if named or looks_so(document):
            configs[key] = read_config(document)
    return ConfigMap(ref, named, frozenset(keys(tree)), configs, errors) if named or configs else None


def looked_up(world: World) -> tuple[ConfigMap, ...]:
    """The ConfigMaps that a node's label means for sure: a ClusterPolicy names them."""
    return tuple(one for one in world.once(config_maps).values() if one.named)


def users(world: World, key: str) -> list[tuple[str, Tree]]:
    """Names and live trees (else the declared ones) of the nodes whose label selects `key`."""
    return world.once(_by_key).get(key, [])


def _by_key(world: World) -> dict[str, list[tuple[str, Tree]]]:
    found = dict[str, list[tuple[str, Tree]]]()
    for ref, tree in world.of(*NODE):
        live = world.live_twin(ref) or tree
        if key := text(tree, *LABEL) or text(live, *LABEL):
            found.setdefault(key, []).append((ref.name, live))
    return found


def strategies(world: World) -> Iterator[str]:
    """The MIG strategies that ClusterPolicies set: they stand above what a configuration says."""
    yield from filter(None, (text(tree, "spec", "mig", "strategy") for _, tree in world.of(*CLUSTER_POLICY)))
