"""Owns which live Pods ask for which extended resources, and on which node. Must not judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.gpu.resources import asked
from reconciler.gpu.world import World
from reconciler.model.tree import dig

_OVER: Final = ("Succeeded", "Failed")


def holders(world: World, node: str) -> Mapping[str, Sequence[str]]:
    """`namespace/name` of the live Pods on a node that are not over, by each resource of a vendor that they hold."""
    return world.once(_by_node).get(node, {})


def askers(world: World, resource: str) -> list[str]:
    """`namespace/name` of all live Pods that are not over and hold or wait for a resource."""
    return world.once(_by_resource).get(resource, [])


def _by_resource(world: World) -> dict[str, list[str]]:
    found = dict[str, list[str]]()
    for ref, pod in world.live.get(("", "Pod"), {}).items():
        if dig(pod, "status", "phase") not in _OVER:
            for resource in sorted(asked(pod)):
                found.setdefault(resource, []).append(f"{ref.namespace}/{ref.name}")
    return found


def _by_node(world: World) -> dict[str, dict[str, list[str]]]:
    found = dict[str, dict[str, list[str]]]()
    for ref, pod in world.live.get(("", "Pod"), {}).items():
        node = dig(pod, "spec", "nodeName")
        if isinstance(node, str) and dig(pod, "status", "phase") not in _OVER:
            for resource in sorted(asked(pod)):
                found.setdefault(node, {}).setdefault(resource, []).append(f"{ref.namespace}/{ref.name}")
    return found
