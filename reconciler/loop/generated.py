"""Owns what stays of values that a renderer makes anew each time: nothing in keys, the first one in snapshots. Pure.

Such a value says only that there must be one. If it counted, each render would be new to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from reconciler.canonical.engine import GENERATED
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.items import item_name
from reconciler.model.path import unescaped
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.schema.types import TypeNode

_ANY: Final = ""


def without_generated(tree: Tree, generated: Iterable[str]) -> Tree:
    """`tree` with the same value in each of these places (RFC 6901 pointers into it), whatever was made there."""
    for pointer in generated:
        tree = _levelled(tree, [unescaped(token) for token in pointer.removeprefix("/").split("/")])
    return tree


def with_first(form: CanonicalObject, earlier: CanonicalObject | None) -> CanonicalObject:
    """`form` with the generated values of `earlier`, the form of the same object that was published before.

    Only where both are generated: what Git says now in so many words holds.
    """
    if earlier is None:
        return form
    before = {mask.path for mask in earlier.masks if mask.rule == GENERATED}
    want = form.want
    for mask in form.masks:
        if mask.rule == GENERATED and mask.path in before:
            want = _taken(want, earlier.want, mask.path, form.types)
    return form if want is form.want else replace(form, want=want)


def _levelled(tree: Tree, tokens: list[str]) -> Tree:
    if not tokens:
        return _ANY
    head, rest = tokens[0], tokens[1:]
    if isinstance(tree, list) and head.isdecimal() and int(head) < len(tree):
        index = int(head)
        return [*tree[:index], _levelled(tree[index], rest), *tree[index + 1 :]]
    if isinstance(tree, dict) and head in tree:
        return {**tree, head: _levelled(tree[head], rest)}
    return tree


def _taken(now: Tree, before: Tree, path: tuple[str, ...], node: TypeNode) -> Tree:
    """`now` with what `before` holds at `path`; places that one of them lacks stay as they are."""
    if not path:
        return now if before is ABSENT else before
    head, rest = path[0], path[1:]
    if isinstance(now, list) and isinstance(before, list):
        old = dict(_named(before, node))
        return [
            _taken(item, old.get(name, ABSENT), rest, node.item) if head == name else item
            for name, item in _named(now, node)
        ]
    if isinstance(now, dict) and isinstance(before, dict) and head in now:
        return {**now, head: _taken(now[head], child(before, head), rest, node.at(head))}
    return now


def _named(items: list[Tree], node: TypeNode) -> list[tuple[str, Tree]]:
    return [(item_name(item, index, node), item) for index, item in enumerate(items)]
