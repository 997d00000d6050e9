"""Owns the reading of managedFields: which manager holds a path, since when. Must not decide what drift is.

FieldsV1 is a trie: `f:name` is a field, `k:{…}` an item of a keyed list, `v:…` a value of a set, `i:3` an index,
`.` the place itself. An empty leaf above the path means that the manager holds everything below (an atomic value).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reconciler.model.path import Element, ItemKey, Path, field_name
from reconciler.model.tree import ABSENT, Tree, strict_equal


@dataclass(frozen=True, slots=True)
class FieldManager:
    """One entry of managedFields without its fields. `time` is RFC 3339, "" where the entry has none."""

    manager: str
    operation: str = ""
    time: str = ""
    subresource: str = ""


def blame(managed_fields: Tree, path: Path, value: Tree = ABSENT) -> FieldManager | None:
    """Who holds `path`: the latest writer among the entries that own it; None when no entry does.

    `value` is the live value at `path`: sets are owned by value, so the last element of a path into a set needs it.
    Entries of a shape that Kubernetes does not write are passed over.
    """
    holders = [_holder(entry) for entry in _entries(managed_fields) if _owns(entry.get("fieldsV1"), path, value)]
    return max(holders, key=lambda holder: holder.time, default=None)


def _entries(managed_fields: Tree) -> Iterable[dict[str, Any]]:
    items = managed_fields if isinstance(managed_fields, list) else ()
    return (item for item in items if isinstance(item, dict))


def _holder(entry: dict[str, Any]) -> FieldManager:
    names = ("manager", "operation", "time", "subresource")
    return FieldManager(*(text if isinstance(text := entry.get(name), str) else "" for name in names))


def _owns(fields: Tree, path: Path, value: Tree) -> bool:
    node = fields
    if not isinstance(node, dict) or not node:
        return False
    for position, element in enumerate(path):
        last = position == len(path) - 1
        step = _child(node, element, value if last else ABSENT)
        if step is None:
            return False
        if not step:
            return True
        node = step
    return True


def _child(node: dict[str, Any], element: Element, value: Tree) -> dict[str, Any] | None:
    found = node.get(field_name(element), ABSENT)
    if found is ABSENT and isinstance(element, ItemKey):
        found = next((node[name] for name in node if _is_item(name, element)), ABSENT)
    if found is ABSENT and isinstance(element, int) and value is not ABSENT:
        found = next((node[name] for name in node if _is_value(name, value)), ABSENT)
    return found if isinstance(found, dict) else None


def _is_item(name: str, element: ItemKey) -> bool:
    keys = _parsed(name, "k:")
    return isinstance(keys, dict) and element.matches(keys)


def _is_value(name: str, value: Tree) -> bool:
    return strict_equal(_parsed(name, "v:"), value)


def _parsed(name: str, prefix: str) -> Tree:
    if not name.startswith(prefix):
        return ABSENT
    try:
        return json.loads(name[len(prefix) :])
    except ValueError:
        return ABSENT
