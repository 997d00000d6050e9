"""Owns the matching of keyed lists for the walk; with a short cut, only items that differ are looked at. No judging.

Keys are bare here: the value of the one key field, or a tuple of them. An ItemKey is made for what is walked only. The
short cut is there where two sides hold the same keys in the same order; walking what it names gives the same findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from reconciler.canonical.items import keyed
from reconciler.compare.equal import same
from reconciler.model.path import ItemKey
from reconciler.model.tree import Tree
from reconciler.schema.types import TypeNode


def apart_at(one: Tree, other: Tree, node: TypeNode) -> tuple[list[Any], list[int]] | None:
    """The keys of both sides and the places where their items differ; None where keys or their order differ or repeat.

    Key fields that a schema defaults are not defaulted here: such lists take the long way.
    """
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return None
    keys = keys_of(one, node)
    others = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a is not b]
    if keys is None or keys_of([other[at] for at in others], node) != [keys[at] for at in others]:
        return None
    differ = [at for at in others if one[at] != other[at]]
    skipped = set(differ)
    # Python's != is too lenient (1 == True), so what it calls equal is asked for once more, all in one.
    rest = ([side[at] for at in others if at not in skipped] for side in (one, other))
    return (keys, differ) if same(*rest) else None


def keys_of(items: list[Tree], node: TypeNode) -> list[Any] | None:
    """The keys of all items, in order; None where one is missing or no scalar, or two are alike."""
    try:
        keys = list(map(itemgetter(*node.keys), items))
        distinct = set(keys)
    except (KeyError, TypeError, IndexError):
        return None
    empty = any(None in key for key in keys) if len(node.keys) > 1 else None in distinct
    return None if empty or len(distinct) < len(keys) else keys


def by_key(items: list[Tree], node: TypeNode) -> dict[Any, Tree] | None:
    """See `reconciler.canonical.items.keyed`, which is asked where key fields are missing."""
    keys = keys_of(items, node)
    return bare(keyed(items, node)) if keys is None else dict(zip(keys, items, strict=True))


def bare(items: Mapping[ItemKey, Tree] | None) -> dict[Any, Tree] | None:
    """Items by bare keys."""
    if items is None:
        return None
    values = ((tuple(value for _, value in key.pairs), item) for key, item in items.items())
    return {key if len(key) > 1 else key[0]: item for key, item in values}


def full_key(key: Any, node: TypeNode) -> ItemKey:
    """The element of paths that a bare key stands for."""
    return ItemKey(tuple(zip(node.keys, key, strict=True)) if len(node.keys) > 1 else ((node.keys[0], key),))
