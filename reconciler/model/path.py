"""Owns paths into objects: field names, keys of list items, indices; and their two spellings for people.

A path is a tuple of elements. A list item is addressed by its keys where the list has keys, else by its index.
Must not know which list has keys: `reconciler.schema` says that.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from reconciler.model.tree import Tree


class ItemKey(NamedTuple):
    """Addresses an item of a keyed list: pairs in the order of the schema's keys."""

    pairs: tuple[tuple[str, Any], ...]

    def matches(self, item: Tree) -> bool:
        """True when `item` holds exactly these key values."""
        if not isinstance(item, dict):
            return False
        # A plain loop: it runs for each item of lists of thousands.
        for name, value in self.pairs:  # noqa: SIM110 - a generator costs four times as much
            if item.get(name) != value:
                return False
        return True

    def may_match(self, item: Tree) -> bool:
        """True when `item` holds these key values as far as it holds any: a key left out has its default, mostly ""."""
        if not isinstance(item, dict):
            return False
        known = False
        for name, value in self.pairs:
            if item.get(name, value) != value:
                return False
            known = known or name in item or value == ""
        return known


Element = str | int | ItemKey
Path = tuple[Element, ...]
ROOT: Path = ()
_KEYS: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


def pointer(path: Path, document: Tree) -> str:
    """RFC 6901 pointer of `path` in `document`; an item that the document lacks is written by its key.

    Keys of items become indices of `document`. Where an item is missing, the element is its first key value, so that
    the pointer still tells people which item is meant.
    """
    tokens: list[str] = []
    node = document
    for element in path:
        if isinstance(element, str):
            token, node = element, node.get(element) if isinstance(node, dict) else None
        else:
            token, node = _step(element, node)
        tokens.append(token)
    text = "".join(["/" + token for token in tokens])
    if "~" in text or text.count("/") > len(tokens):
        return "".join(["/" + token.replace("~", "~0").replace("/", "~1") for token in tokens])
    return text


def follow(path: Path, document: Tree) -> Tree:
    """What stands at `path` in `document`; None where nothing does."""
    for element in path:
        _, document = _step(element, document)
    return document


def index_of(item: ItemKey, items: Tree) -> int | None:
    """The place of the first item with these keys, else of the first that may have them; None where there is none."""
    for fits in (item.matches, item.may_match) if isinstance(items, list) else ():
        for index, one in enumerate(items):
            if fits(one):
                return index
    return None


def _step(element: Element, node: Tree) -> tuple[str, Tree]:
    if isinstance(element, str):
        return element, node.get(element) if isinstance(node, dict) else None
    if isinstance(element, ItemKey):
        index = index_of(element, node)
        return (str(element.pairs[0][1]), None) if index is None else (str(index), node[index])
    inside = isinstance(node, list) and element < len(node)
    return str(element), node[element] if inside else None


def readable(path: Path) -> str:
    """`spec.containers[name=app].image`: with keys, as people say it."""
    text = ""
    for element in path:
        if isinstance(element, str):
            plain = element.isalnum() or element.replace("-", "").replace("_", "").isalnum()
            text += f".{element}" if plain else f"[{json.dumps(element)}]"
        elif isinstance(element, ItemKey):
            text += "[" + ",".join(f"{name}={value}" for name, value in element.pairs) + "]"
        else:
            text += f"[{element}]"
    return text.removeprefix(".")


def field_name(element: Element) -> str:
    """The spelling of FieldsV1 (structured-merge-diff): `f:spec`, `k:{"name":"app"}`, `i:3`."""
    if isinstance(element, str):
        return f"f:{element}"
    if isinstance(element, int):
        return f"i:{element}"
    (name, value), *more = element.pairs
    if more or not isinstance(value, str):
        return "k:" + _KEYS.encode(dict(element.pairs))
    return f"k:{{{_KEYS.encode(name)}:{_KEYS.encode(value)}}}"  # the common case: the encoder is quick with texts


def pattern(path: Path) -> str:
    """`path` as patterns of policies and grants name it, in whatever document: items by keys, `k:{"name":"app"}`."""
    names = (field_name(one) if isinstance(one, ItemKey) else str(one) for one in path)
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def unescaped(token: str) -> str:
    """One token of an RFC 6901 pointer as the name it stands for: `a~1b` is `a/b`."""
    return token.replace("~1", "/").replace("~0", "~")


def split_pattern(pattern: str) -> tuple[str, ...]:
    """A pointer pattern by its elements: `/spec/a~1b/*` → ("spec", "a/b", "*")."""
    return tuple(unescaped(part) for part in pattern.strip("/").split("/"))
