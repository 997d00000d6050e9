"""Owns the short cut through long keyed lists: only items that differ are looked at. Must not judge.

It is there where two sides hold the same keys in the same order; whoever walks what it names gets the same findings.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from reconciler.compare.equal import same
from reconciler.model.tree import Tree
from reconciler.schema.types import TypeNode


def apart_at(one: Tree, other: Tree, node: TypeNode) -> tuple[list[Any], list[int]] | None:
    """The keys of both sides and the places where their items differ; None where keys or their order differ or repeat.

    Key fields that a schema defaults are not defaulted here: such lists take the long way.
    """
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return None
    keys = keys_of(one, node)
    if keys is None or keys != keys_of(other, node):
        return None
    differ = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    skipped = set(differ)
    # Python's != is too lenient (1 == True), so what it calls equal is asked for once more, all in one.
    rest = ([item for at, item in enumerate(side) if at not in skipped] for side in (one, other))
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
