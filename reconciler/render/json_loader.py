"""Owns reading JSON documents as kubectl does: one or several values in a row. Must not fall back to YAML itself."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Final, NoReturn

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render import scalars
from reconciler.render.document import Document, beyond_limits, too_many_documents

_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_OTHERS: Final = re.compile(rb"[^\[\]{}]+")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_OPENING: Final = frozenset(b"[{")


def load_json(text: bytes, name: str) -> list[Document] | None:
    """The documents of a stream of JSON values, or None where it is not JSON (flow YAML looks alike).

    What is nested too deep is left to the event builder, which refuses it with its line. Raises RenderError for what
    is JSON but beyond another limit.
    """
    if _depth(text) > limits.YAML_DEPTH:
        return None
    try:
        string = text.decode()
        documents: list[Document] = []
        start, decoder = _after_space(string, 0), json.JSONDecoder(parse_constant=_not_json, object_pairs_hook=_pairs)
        while start < len(string):
            tree, end = decoder.raw_decode(string, start)
            line = string.count("\n", 0, start) + 1
            start = _after_space(string, end)
            _check_nodes(tree, f"{name}:{line}")
            if len(documents) == limits.YAML_DOCUMENTS:
                raise too_many_documents(name)
            documents.append(Document(_tidy(tree, f"{name}:{line}"), line, len(documents), (line,) * _item_count(tree)))
    except (ValueError, RecursionError):
        return None
    return documents


def _after_space(string: str, position: int) -> int:
    space = _SPACE.match(string, position)
    return space.end() if space else position


def _depth(text: bytes) -> int:
    """Levels of brackets outside of strings. Counted first: the decoder recurses, and a small stack would overflow."""
    brackets = _OTHERS.sub(b"", _STRINGS.sub(b"", text))
    return max(accumulate(1 if sign in _OPENING else -1 for sign in brackets), default=0)


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A duplicate key is reported with its line by the event builder; JSON's own decoder knows no lines.
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("duplicate key")
    return tree


def _check_nodes(tree: Tree, where: str) -> None:
    nodes, level = 0, [tree]
    while level:
        nodes += len(level)
        if nodes > limits.YAML_NODES:
            raise beyond_limits(where, 0)
        level = [below for node in level if isinstance(node, dict | list) for below in _children(node)]


def _children(node: dict[str, Tree] | list[Tree]) -> list[Tree]:
    return list(node.values()) if isinstance(node, dict) else node


def _tidy(tree: Tree, where: str) -> Tree:
    if isinstance(tree, dict):
        return {key: _tidy(value, where) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_tidy(value, where) for value in tree]
    if isinstance(tree, float) and math.isinf(tree):
        raise RenderError("a number beyond 64-bit floats", where=where, code="SS3001")
    return scalars.tidy(tree)


def _item_count(tree: Tree) -> int:
    items = tree.get("items") if isinstance(tree, dict) else None
    return len(items) if isinstance(items, list) else 0
