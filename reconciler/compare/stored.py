"""Owns fields that Git declares and no schema knows: wanted wherever the object holds them. Must not compare.

An API server drops them as a rule. One that holds such a field all the same knows more than the schema at hand: its
custom resource definition is newer than that in Git, say.
"""

from __future__ import annotations

from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.items import item_name
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.schema.types import TypeNode

_Names = tuple[str, ...]


def want_of(canonical: CanonicalObject, *states: Tree) -> Tree:
    """What is wanted of an object that is or was in one of `states`; without any, all that Git declares."""
    want = canonical.want
    for path, value in canonical.dropped.items():
        if not states or any(_at(state, path, canonical.types) is not ABSENT for state in states):
            want = _put(want, path, value, canonical.types)
    return want


def _at(tree: Tree, path: _Names, node: TypeNode) -> Tree:
    for name in path:
        if isinstance(tree, list):
            tree, node = (
                next((item for at, item in enumerate(tree) if item_name(item, at, node) == name), ABSENT),
                node.item,
            )
        else:
            tree, node = child(tree, name), node.at(name)
    return tree


def _put(tree: Tree, path: _Names, value: Tree, node: TypeNode) -> Tree:
    """`tree` with `value` at `path`, unless a server has said what is there, or what would hold it is gone."""
    head, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [
            _put(item, rest, value, node.item) if item_name(item, at, node) == head else item
            for at, item in enumerate(tree)
        ]
    if not isinstance(tree, dict) or (head in tree) is not bool(rest):
        return tree
    return {**tree, head: _put(tree[head], rest, value, node.at(head)) if rest else value}
