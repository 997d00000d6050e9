"""Owns how a value is spelled in YAML, as people write manifests. Pure; must not read a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from reconciler.model.tree import Tree
from reconciler.render.scalars import ScalarError, resolve_plain

# What needs no quotes wherever it stands: other loaders read on/off/yes/no and base-60 numbers as no text.
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_WORDS: Final = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_BLOCK: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]*")


def scalar(value: Tree, style: str = "") -> str:
    """A scalar, an empty mapping or an empty list in one line; a text in quotes of that style where it can be."""
    if not isinstance(value, str):
        return json.dumps(value)
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and is_plain(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def is_plain(text: str) -> bool:
    """Whether every loader reads the text as itself without quotes."""
    if not _PLAIN.fullmatch(text) or _WORDS.fullmatch(text):
        return False
    try:
        return resolve_plain(text) == text
    except ScalarError:
        return False


def flow(value: Tree) -> str:
    """Any value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def after_key(value: Tree, indent: int, offset: int) -> str:
    """What follows `key:` of a mapping at that column; `offset` is by how much lists are indented below their key."""
    if isinstance(value, dict | list) and value:
        deep = indent + (2 if isinstance(value, dict) else offset)
        return "".join(f"\n{line}" for line in block(value, deep, offset))
    if isinstance(value, str) and (literal := _literal(value, indent + 2)):
        return f" {literal}"
    return f" {scalar(value)}"


def block(value: Tree, indent: int, offset: int) -> Iterator[str]:
    """The lines of a mapping or list, neither empty, at that column."""
    lead = " " * indent
    if isinstance(value, dict):
        for key, one in value.items():
            yield from f"{lead}{scalar(key)}:{after_key(one, indent, offset)}".split("\n")
        return
    for one in value:
        yield from f"{lead}- {item(one, indent, offset)}".split("\n")


def item(value: Tree, indent: int, offset: int) -> str:
    """What follows `- ` of a list at that column; its first line is not indented."""
    if isinstance(value, dict | list) and value:
        return "\n".join(block(value, indent + 2, offset))[indent + 2 :]
    literal = _literal(value, indent + 2) if isinstance(value, str) else ""
    return literal or scalar(value)


def _literal(text: str, indent: int) -> str:
    """A text of several lines as people write it, "" where that would not say the same."""
    if "\n" not in text.strip("\n") or not _BLOCK.fullmatch(text) or text[:1] in " \n\t" or text.endswith("\n\n"):
        return ""
    lines = text.removesuffix("\n").split("\n")
    sign = "|" if text.endswith("\n") else "|-"
    return "\n".join([sign, *(" " * indent + line if line else "" for line in lines)])
