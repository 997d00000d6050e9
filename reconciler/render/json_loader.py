"""Owns reading JSON documents as kubectl does: one or several values in a row. Must not fall back to YAML itself."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from reconciler import limits
from reconciler.model.tree import Tree
from reconciler.render import scalars
from reconciler.render.document import Document, beyond_limits


def load_json(text: bytes, name: str) -> list[Document] | None:
    """The documents of a stream of JSON values, or None where it is not JSON (flow YAML looks alike)."""
    try:
        string = text.decode()
        documents: list[Document] = []
        position, decoder = 0, json.JSONDecoder(parse_constant=_not_json, object_pairs_hook=_pairs)
        while position < len(string):
            rest = len(string) - len(string[position:].lstrip())
            if rest == len(string):
                break
            tree, position = decoder.raw_decode(string, rest)
            line = string.count("\n", 0, rest) + 1
            _check_json(tree, f"{name}:{line}")
            documents.append(Document(_tidy(tree), line, len(documents), (line,) * _item_count(tree)))
    except (ValueError, RecursionError):
        return None
    return documents


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A duplicate key is reported with its line by the event builder; JSON's own decoder knows no lines.
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("duplicate key")
    return tree


def _check_json(tree: Tree, where: str) -> None:
    depth, level = 0, [tree]
    nodes = 1
    while level:
        depth += 1
        nodes += len(level)
        if depth > limits.YAML_DEPTH or nodes > limits.YAML_NODES:
            raise beyond_limits(where, depth)
        level = [below for node in level if isinstance(node, dict | list) for below in _children(node)]


def _children(node: dict[str, Tree] | list[Tree]) -> list[Tree]:
    return list(node.values()) if isinstance(node, dict) else node


def _tidy(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: _tidy(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_tidy(value) for value in tree]
    return scalars.tidy(tree)


def _item_count(tree: Tree) -> int:
    items = tree.get("items") if isinstance(tree, dict) else None
    return len(items) if isinstance(items, list) else 0
