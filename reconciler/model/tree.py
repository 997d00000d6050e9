"""Owns JSON trees: the sentinel for absence, typed access, strict equality. Must not know any kind or schema."""

from __future__ import annotations

import enum
from itertools import chain
from typing import Any, Final

Tree = Any  # JSON value: None, bool, int, float, str, list, dict


class Absent(enum.Enum):
    """The type of `ABSENT`; an enum so that type checkers can narrow it with `is`."""

    ABSENT = enum.auto()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT
# For isinstance: a union made on the spot costs more than the question.
CONTAINERS: Final = (dict, list)
_NUMBERS: Final = (int, float)
_PLAIN: Final = frozenset(CONTAINERS)


def child(tree: Tree, key: str) -> Tree:
    """The value under `key`, or ABSENT when `tree` is no mapping or lacks it."""
    return tree.get(key, ABSENT) if isinstance(tree, dict) else ABSENT


def dig(tree: Tree, *keys: str) -> Tree:
    """Follow `keys` through mappings; ABSENT as soon as one is missing."""
    for key in keys:
        if not isinstance(tree, dict):
            return ABSENT
        tree = tree.get(key, ABSENT)
    return tree


def deeper_than(tree: Tree, levels: int) -> bool:
    """True where mappings and lists, as a decoder makes them, are nested in each other more than `levels` deep."""
    level = [tree]
    for _ in range(levels):
        below = chain.from_iterable(node.values() if type(node) is dict else node for node in level)
        level = [value for value in below if type(value) in _PLAIN]
        if not level:
            return False
    return True


def is_number(value: Tree) -> bool:
    """True for int and float, never for bool (Python's True == 1 must not pass as a number)."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


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
    if isinstance(a, str):
        return isinstance(b, str) and a == b
    if is_number(a) and is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)
