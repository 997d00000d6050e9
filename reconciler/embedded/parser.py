"""Owns the port by which texts inside objects become trees, and the half of it that needs no library: JSON.

YAML is read by whoever composes a process (`reconciler.render.embedded_loader`), and handed in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from reconciler.limits import EMBEDDED_BYTES, EMBEDDED_NODES, YAML_DEPTH
from reconciler.model.tree import CONTAINERS, Tree, deeper_than

# Reads one document. Raises ValueError with one line that says what is wrong, and holds none of the text.
Parser = Callable[[str], Tree]


def read_json(text: str) -> Tree:
    """A JSON document. Raises ValueError, also for a key that stands twice: readers differ in which one counts."""
    check_size(text)
    try:
        tree = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_number, parse_float=_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return checked(tree)


def checked(tree: Tree) -> Tree:
    """`tree`, if it is within bounds, anchors expanded. Raises ValueError."""
    if more_nodes_than(tree, EMBEDDED_NODES):
        raise ValueError(f"more than {EMBEDDED_NODES} values")
    if isinstance(tree, CONTAINERS) and deeper_than(tree, YAML_DEPTH):
        raise ValueError(f"nested more than {YAML_DEPTH} levels deep")
    return tree


def more_nodes_than(tree: Tree, most: int) -> bool:
    """True for a tree of more values than that; what anchors repeat counts each time."""
    waiting, count = [tree], 0
    while waiting and count <= most:
        node = waiting.pop()
        count += 1
        if isinstance(node, CONTAINERS):
            if count + len(node) > most:
                return True
            waiting.extend(node.values() if isinstance(node, dict) else node)
    return count > most


def check_size(text: str) -> None:
    """Raises ValueError for a text that nobody has time to read."""
    if len(text) > EMBEDDED_BYTES or len(text.encode("utf-8", "surrogatepass")) > EMBEDDED_BYTES:
        raise ValueError(f"larger than {EMBEDDED_BYTES} bytes")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a key stands twice in one mapping")
    return tree


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number beyond 64-bit floats")
    return value
