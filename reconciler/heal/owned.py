"""Owns partial objects for server-side apply: what is ours already, and values laid over it by place. Pure.

Apply drops what its manager held alone and does not say again. So whatever we came to hold is said again with the value
that is there: a field that Git has left to others since stays as they want it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.path import Element, ItemKey, Path
from reconciler.model.tree import ABSENT, Tree, dig, strict_equal

MANAGER: Final = "setscrew"
_ITSELF: Final = "."


def kept(live: Tree) -> dict[str, Tree]:
    """The part of a live object that is ours by server-side apply, as managedFields tell; {} where nothing is."""
    entries = dig(live, "metadata", "managedFields")
    for entry in entries if isinstance(entries, list) else ():
        ours = isinstance(entry, dict) and entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        if ours and not entry.get("subresource"):
            found = _part(live, entry.get("fieldsV1") or {})
            return found if isinstance(found, dict) else {}
    return {}


def laid(tree: Tree, place: Path, value: Tree) -> Tree:
    """`tree` with `value` at `place`, and what leads there; items of lists are found or begun by their keys."""
    if not place:
        return value
    head, rest = place[0], place[1:]
    if isinstance(head, str):
        mapping = tree if isinstance(tree, dict) else {}
        return {**mapping, head: laid(mapping.get(head, ABSENT), rest, value)}
    items = list(tree) if isinstance(tree, list) else []
    at = next((number for number, item in enumerate(items) if _is(head, item)), len(items))
    old = items[at] if at < len(items) else _begun(head)
    items[at : at + 1] = [laid(old, rest, value)]
    return items


def _is(head: Element, item: Tree) -> bool:
    return isinstance(head, ItemKey) and head.matches(item)


def _begun(head: Element) -> Tree:
    return dict(head.pairs) if isinstance(head, ItemKey) else ABSENT


def _part(tree: Tree, fields: Mapping[str, Any]) -> Tree:
    """What `fields` (FieldsV1) name of a tree; ABSENT where that is not there."""
    if not fields:
        return tree
    below = {name: inner for name, inner in fields.items() if name != _ITSELF}
    if isinstance(tree, dict):
        named = {name[2:]: inner for name, inner in below.items() if name.startswith("f:")}
        parts = {name: _part(tree[name], inner) for name, inner in named.items() if name in tree}
        return {name: part for name, part in parts.items() if part is not ABSENT}
    if isinstance(tree, list):
        return [part for item in tree if (part := _item(item, below)) is not ABSENT]
    return ABSENT


def _item(item: Tree, fields: Mapping[str, Any]) -> Tree:
    for name, inner in fields.items():
        wanted = _read(name)
        if name.startswith("v:") and strict_equal(wanted, item):
            return item
        keyed = name.startswith("k:") and isinstance(wanted, dict) and isinstance(item, dict)
        if keyed and all(item.get(key) == value for key, value in wanted.items()):
            return {**wanted, **_part(item, inner)}
    return ABSENT


def _read(name: str) -> Tree:
    try:
        return json.loads(name[2:])
    except ValueError:
        return ABSENT
