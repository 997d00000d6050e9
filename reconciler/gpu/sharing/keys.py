"""Owns the rule about who selects a configuration of the device plugin. Must not judge the configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.sharing.maps import LABEL, SELECTS, ConfigMap, config_map, config_maps, looked_up, users
from reconciler.gpu.tolerant import shown, some, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "SHR-08": "the configuration that a node's label or a ClusterPolicy's default names is a key of the ConfigMap",
}
_DEFAULT: Final = ("spec", "devicePlugin", "config", "default")
_NAME: Final = ("spec", "devicePlugin", "config", "name")
_CHOICES: Final = 10
_CRASH: Final = "the device plugin ends there with an error, and the node has no GPUs"


def _check_node(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Which ConfigMap it is, only a ClusterPolicy says; where there is none, it is one of those that look so."""
    key, named = text(tree, *LABEL), world.once(looked_up)
    policies = any(True for _ in world.of(*CLUSTER_POLICY))
    maps = named or (() if policies else tuple(world.once(config_maps).values()))
    if key and maps and not any(key in one.keys for one in maps):
        message = f"the label {SELECTS} selects {shown(key)}, which is no key of {_named(maps)}: {_CRASH}"
        severity: Severity = "error" if named else "warning"
        yield Problem("SHR-08", severity, ref, LABEL, message, f"select one of {_choices(maps)}")


def _check_policy(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    key, name = text(tree, *_DEFAULT), text(tree, *_NAME)
    maps = [one for one in world.once(looked_up) if one.ref.name == name]
    if key and maps and not any(key in one.keys for one in maps):
        message = f"the default configuration {shown(key)} is no key of {_named(maps)}: {_CRASH}"
        yield Problem("SHR-08", "error", ref, _DEFAULT, message, f"choose one of {_choices(maps)}")


def _check_map(ref: ObjectRef, _: Tree, world: World) -> Iterator[Problem]:
    """A key that this revision takes away while something that Git does not declare selects it."""
    held, live = world.once(config_maps).get(ref), world.live_twin(ref)
    if held is None or live is None or len(world.once(looked_up)) != 1 or not held.named:
        return
    before = config_map(world, ref, live, named=True)
    for key in sorted(before.keys - held.keys) if before is not None else ():
        whose = [*_policies(key, world), *_nodes(key, world)]
        if whose:
            message = f"the key {shown(key)} is missing, but selected by {some(whose)}: {_CRASH}"
            yield Problem("SHR-08", "error", ref, ("data",), message, "keep the key, or select another one first")


CHECKERS: Final = (
    Checker((NODE,), _check_node),
    Checker((CLUSTER_POLICY,), _check_policy),
    Checker((CONFIG_MAP,), _check_map),
)


def _policies(key: str, world: World) -> Iterator[str]:
    declared = world.desired.get(CLUSTER_POLICY, {})
    for ref, tree in world.of(*CLUSTER_POLICY):
        if ref not in declared and text(tree, *_DEFAULT) == key:
            yield str(ref)


def _nodes(key: str, world: World) -> Iterator[str]:
    for name, _ in users(world, key):
        if not text(world.desired.get(NODE, {}).get(ObjectRef(*NODE, "", name)), *LABEL):
            yield f"node {name}"


def _named(maps: Sequence[ConfigMap]) -> str:
    return " or ".join(str(one.ref) for one in maps[:3])


def _choices(maps: Sequence[ConfigMap]) -> str:
    names = sorted({key for one in maps for key in one.keys})
    return some(names, _CHOICES)
