"""Owns JSON trees: the sentinel for absence, typed access, strict equality. Must not know any kind or schema."""

from __future__ import annotations

import enum
from typing import Any, Final

Tree = Any  # JSON value: None, bool, int, float, str, list, dict


class Absent(enum.Enum):
    """The type of `ABSENT`; an enum so that type checkers can narrow it with `is`."""

    ABSENT = enum.auto()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT


def child(tree: Tree, key: str) -> Tree:
    """The value under `key`, or ABSENT when `tree` is no mapping or lacks it."""
    return tree.get(key, ABSENT) if isinstance(tree, dict) else ABSENT


def dig(tree: Tree, *keys: str) -> Tree:
    """Follow `keys` through mappings; ABSENT as soon as one is missing."""
    for key in keys:
        tree = child(tree, key)
        if tree is ABSENT:
            return ABSENT
    return tree


def deeper_than(tree: Tree, levels: int) -> bool:
    """True where mappings and lists are nested in each other more than `levels` deep."""
    level = [tree]
    for _ in range(levels):
        level = [
            value
            for node in level
            for value in (node.values() if isinstance(node, dict) else node)
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True


def is_number(value: Tree) -> bool:
    """True for int and float, never for bool (Python's True == 1 must not pass as a number)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def strict_equal(a: Tree, b: Tree) -> bool:
    """JSON equality: types matter, except that 1 and 1.0 are one number; key order does not matter."""
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and len(a) == len(b)
            and all(key in b and strict_equal(value, b[key]) for key, value in a.items())
        )
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(strict_equal, a, b))
    if is_number(a) and is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)
