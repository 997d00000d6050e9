"""Owns what is told of the fleet to rules at admission: which GPU models there are. Must not count or judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.gpu.mig.maps import PRODUCT, products
from reconciler.gpu.operator_maps import NODE
from reconciler.gpu.world import World
from reconciler.model.tree import Tree

_UNKNOWN: Final = "a model that nobody knows"


def stand_ins(world: World) -> tuple[Tree, ...]:
    """A Node for each GPU model that Nodes and ResourceSlices of `world` report, of a name that no Node can have."""
    return _nodes(sorted(set(products(world))))


def strangers() -> tuple[Tree, ...]:
    """The same where nobody knows which models there are: one that no table has, so that nothing is wrong for sure."""
    return _nodes([_UNKNOWN])


def _nodes(models: Iterable[str]) -> tuple[Tree, ...]:
    return tuple(
        {"apiVersion": "v1", "kind": NODE[1], "metadata": {"name": f"a node with {model}", "labels": {PRODUCT: model}}}
        for model in models
    )
