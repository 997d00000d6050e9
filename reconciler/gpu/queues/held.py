"""Owns what queues may refer to: the objects that are there once the revision is. Must not judge them."""

from __future__ import annotations

from reconciler.gpu.tolerant import leaving
from reconciler.gpu.world import World
from reconciler.model.tree import Tree


def held(world: World, group: str, kind: str) -> dict[str, Tree]:
    """Cluster-scoped objects of a kind by name: declared ones, and live ones that are not on their way out."""
    ours = world.desired.get((group, kind), {})
    found: dict[str, Tree] = {}
    for ref, tree in world.of(group, kind):
        if ref.name and (ref in ours or not leaving(ref, tree, world)):
            found.setdefault(ref.name, tree)
    return found


def declared(world: World, group: str, kind: str) -> set[str]:
    """Names of what Git declares of a kind."""
    return {ref.name for ref in world.desired.get((group, kind), {})}
