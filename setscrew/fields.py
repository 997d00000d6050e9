"""Owns fields as people name them: text to path, the value there, and a change nobody makes. Must not judge it."""

from __future__ import annotations

import re
from typing import Final

from reconciler.canonical.items import item_key
from reconciler.errors import UsageError
from reconciler.model.path import Element, ItemKey, Path, unescaped
from reconciler.model.tree import ABSENT, Tree
from reconciler.schema.types import TypeNode

# Not the value that stands there, whatever that is.
ANOTHER: Final = object()
_TOKEN: Final = re.compile(r'\.?([A-Za-z0-9_$/-]+)|\[("(?:[^"\\]|\\.)*"|[^\]]*)\]')


def parse(text: str, tree: Tree, types: TypeNode) -> Path:
    """A path from `spec.containers[name=app].image` or a JSON pointer (indices of `tree`). Raises UsageError."""
    tokens = _pointer_tokens(text) if text.startswith("/") else _readable_tokens(text)
    path: list[Element] = []
    node, kind = tree, types
    for token in tokens:
        element = _element(token, node, kind)
        path.append(element)
        node = value_at(node, (element,))
        kind = kind.at(element) if isinstance(element, str) else kind.item
    return tuple(path)


def value_at(tree: Tree, path: Path) -> Tree:
    """The value at `path`, or ABSENT."""
    for element in path:
        if isinstance(element, ItemKey):
            tree = next((item for item in tree if element.matches(item)), ABSENT) if isinstance(tree, list) else ABSENT
        elif isinstance(element, int):
            tree = tree[element] if isinstance(tree, list) and element < len(tree) else ABSENT
        else:
            tree = tree.get(element, ABSENT) if isinstance(tree, dict) else ABSENT
    return tree


def changed(tree: Tree, path: Path, to: Tree = ANOTHER) -> Tree:
    """`tree` with `to` at `path`: ABSENT takes it away, ANOTHER is some other value, of the same type if any."""
    if not path:
        return _other(tree) if to is ANOTHER else to
    if to is ABSENT and value_at(tree, path) is ABSENT:
        return tree
    head, rest = path[0], path[1:]
    if isinstance(head, str):
        mapping = tree if isinstance(tree, dict) else {}
        return _without_absent({**mapping, head: changed(mapping.get(head, ABSENT), rest, to)})
    items = tree if isinstance(tree, list) else []
    at = next(
        (i for i, item in enumerate(items) if i == head or (isinstance(head, ItemKey) and head.matches(item))), None
    )
    if at is None:
        fresh = dict(head.pairs) if isinstance(head, ItemKey) else ABSENT
        new = [*items, changed(fresh, rest, to)]
    else:
        new = [*items[:at], changed(items[at], rest, to), *items[at + 1 :]]
    return [item for item in new if item is not ABSENT]


def _without_absent(mapping: dict[str, Tree]) -> Tree:
    return {key: one for key, one in mapping.items() if one is not ABSENT}


def _other(value: Tree) -> Tree:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}-changed" if isinstance(value, str) else "changed"


def _pointer_tokens(text: str) -> list[str]:
    return [unescaped(part) for part in text.split("/")[1:]]


def _readable_tokens(text: str) -> list[str]:
    tokens, end = [], 0
    for match in _TOKEN.finditer(text):
        if match.start() != end:
            break
        tokens.append(match.group(1) or f"[{match.group(2)}]")
        end = match.end()
    if end != len(text) or not tokens:
        raise UsageError(f"{text!r} names no field", hint="such as spec.replicas or spec.containers[name=app].image")
    return tokens


def _element(token: str, node: Tree, kind: TypeNode) -> Element:
    inner = token[1:-1] if token.startswith("[") else ""
    if inner.startswith('"'):
        return inner[1:-1].replace('\\"', '"')
    if "=" in inner:
        return _by_key(inner, node, kind)
    if (inner or token).isdigit() and isinstance(node, list):
        index = int(inner or token)
        key = item_key(node[index], kind) if kind.list_type == "map" and index < len(node) else None
        return key or index
    return inner or token


def _by_key(inner: str, node: Tree, kind: TypeNode) -> ItemKey:
    """The item whose key fields read so; a key written as text may be a number in the object."""
    wanted = dict(pair.partition("=")[::2] for pair in inner.split(","))
    for item in node if isinstance(node, list) else ():
        key = item_key(item, kind)
        if key is not None and {name: str(value) for name, value in key.pairs} == wanted:
            return key
    return ItemKey(tuple(wanted.items()))
