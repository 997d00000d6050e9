"""Owns what of a written or live object may be secret: its values, and where in a text they stand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.compare.mask import MASK
from reconciler.model.tree import Tree
from reconciler.report.printable import conceal
from setscrew.into_git.nodes import Node

_VALUES = ("data", "stringData")


def hidden_values(tree: Tree) -> list[str]:
    """The values that reports show as a mask because of the name beside them, such as a variable DB_PASSWORD."""
    return list(_differing(tree, conceal(tree)))


def hidden_nodes(node: Node, tree: Tree) -> Iterator[Node]:
    """Where such values stand, and values of Secrets, in what is written as `tree`."""
    if node.kind == "list" and isinstance(tree, list):
        for below, one in zip(node.items, tree, strict=False):
            yield from hidden_nodes(below, one)
    if node.kind != "mapping" or not isinstance(tree, dict):
        return
    whole = _VALUES if tree.get("kind") == "Secret" else ()
    beside = conceal({key: one for key, one in tree.items() if not isinstance(one, dict | list)})
    for key, _, value in node.pairs:
        if key in whole or (beside.get(key) == MASK and tree.get(key) != MASK):
            yield value
        else:
            yield from hidden_nodes(value, tree.get(key))


def _differing(tree: Tree, shown: Tree) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, one in tree.items():
            yield from _differing(one, shown[key])
    elif isinstance(tree, list):
        for one, other in zip(tree, shown, strict=True):
            yield from _differing(one, other)
    elif tree != shown:
        yield str(tree)
