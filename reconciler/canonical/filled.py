"""Owns the difference between what Git declares and what the server made of it: the filled part. Must not judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.canonical.items import keyed
from reconciler.model.path import field_name
from reconciler.model.tree import ABSENT, Tree
from reconciler.schema.types import TypeNode


def filled(want: Tree, declared: Tree, node: TypeNode) -> dict[str, Any] | None:
    """The trie of `want` that `declared` lacks; {} where all of it does, None where nothing does.

    A null in both is declared: the field must stay absent.
    """
    if declared is ABSENT or (declared is None and want is not None):
        return {}
    if isinstance(want, dict) and isinstance(declared, dict):
        pairs = [(key, value, declared.get(key, ABSENT), node.at(key)) for key, value in want.items()]
    elif isinstance(want, list) and isinstance(declared, list):
        pairs = _items(want, declared, node)
    else:
        return None
    trie = {
        field_name(key): below for key, value, said, kind in pairs if (below := filled(value, said, kind)) is not None
    }
    return trie or None


def united(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The trie of what is in either; a leaf ({}) takes in all below it."""
    if one is None or other is None:
        rest = one if other is None else other
        return None if rest is None else dict(rest)
    if not one or not other:
        return {}
    return {name: united(one.get(name), other.get(name)) for name in {**one, **other}}


def with_nulls(want: Tree, declared: Tree, node: TypeNode) -> Tree:
    """`want` with the nulls of `declared`: fields that Git declares and the API server stores as absent."""
    if isinstance(want, dict) and isinstance(declared, dict):
        nulls = {key: None for key, value in declared.items() if value is None and key not in want}
        both = {key: with_nulls(value, declared.get(key, ABSENT), node.at(key)) for key, value in want.items()}
        return both | nulls
    if isinstance(want, list) and isinstance(declared, list):
        said: Mapping[Any, Tree] = dict(enumerate(declared)) if len(want) == len(declared) else {}
        ours, theirs = (keyed(want, node), keyed(declared, node)) if node.list_type == "map" else (None, None)
        if ours is not None and theirs is not None:
            return [with_nulls(item, theirs.get(key, ABSENT), node.item) for key, item in ours.items()]
        return [with_nulls(item, said.get(index, ABSENT), node.item) for index, item in enumerate(want)]
    return want


def _items(want: list[Tree], declared: list[Tree], node: TypeNode) -> list[tuple[Any, Tree, Tree, TypeNode]]:
    if node.list_type == "map":
        ours, theirs = keyed(want, node), keyed(declared, node)
        if ours is not None and theirs is not None:
            return [(key, item, theirs.get(key, ABSENT), node.item) for key, item in ours.items()]
    if len(want) != len(declared):
        return []
    return [(index, item, declared[index], node.item) for index, item in enumerate(want)]


def field_set(want: Tree, trie: Any, node: TypeNode) -> dict[str, Any]:
    """What Git declares, as FieldsV1: `want` less its filled part. Leaves are {}; atomic lists are leaves."""
    if isinstance(want, dict):
        pairs = [(key, value, node.at(key)) for key, value in want.items()]
    elif isinstance(want, list) and node.list_type == "map" and (items := keyed(want, node)) is not None:
        pairs = [(key, item, node.item) for key, item in items.items()]
    else:
        return {}
    out: dict[str, Any] = {}
    for key, value, kind in pairs:
        name = field_name(key)
        below = trie.get(name) if trie else None
        if below is None or below:
            out[name] = field_set(value, below, kind)
    return out
