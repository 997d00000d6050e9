"""Owns the matching of items of keyed lists. Must not compare items."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.path import ItemKey, field_name
from reconciler.model.tree import CONTAINERS, Tree
from reconciler.schema.types import TypeNode

Items = Mapping[ItemKey, Tree]


def keyed(items: list[Tree], node: TypeNode) -> Items | None:
    """Items by key, in order; None where keys repeat or are missing, so that the list can only be judged as one value.

    Key fields are defaulted first: a port without protocol is a TCP port.
    """
    found: dict[ItemKey, Tree] = {}
    for item in items:
        key = item_key(item, node)
        if key is None or key in found:
            return None
        found[key] = item
    return found


def effective(items: list[Tree], node: TypeNode) -> Items | None:
    """Items by key where keys repeat: the last one counts, at its place. None where an item has no key."""
    found: dict[ItemKey, Tree] = {}
    for item in items:
        key = item_key(item, node)
        if key is None:
            return None
        found.pop(key, None)
        found[key] = item
    return found


def item_key(item: Tree, node: TypeNode) -> ItemKey | None:
    """The key of one item; None where it has none: no map, a key missing without default, a key that is no scalar."""
    if not isinstance(item, dict) or not node.keys:
        return None
    pairs, defaults = [], node.defaults
    for name in node.keys:
        value = item[name] if name in item else defaults.get(name)
        if value is None or isinstance(value, CONTAINERS):
            return None
        pairs.append((name, value))
    return ItemKey(tuple(pairs))


def item_name(item: Tree, index: int, node: TypeNode) -> str:
    """The item at `index` as FieldsV1 spells it: by its key where it has one, else by its place."""
    key = item_key(item, node)
    return field_name(index if key is None else key)
