"""Owns objects that people might write next: one that is there, with some of it left out or changed. Must not judge."""

from __future__ import annotations

import random
from collections.abc import Iterator

from reconciler.model.tree import ABSENT, Tree, is_number
from tests.support.mutations import Place, edited

_IDENTITY = ("apiVersion", "kind", "metadata", "status")
_MOST_CHANGES = 4


def variants(tree: Tree, dice: random.Random, count: int) -> Iterator[Tree]:
    """`count` of them, each with one to four places left out or given another value; many are not valid."""
    for _ in range(count):
        other = tree
        for _ in range(dice.randint(1, _MOST_CHANGES)):
            places = list(_places({key: value for key, value in other.items() if key not in _IDENTITY}, ()))
            if not places:
                break
            place, value = dice.choice(places)
            other = edited(other, place, ABSENT if dice.random() < 0.7 else _changed(value))
        yield other


def _places(tree: Tree, above: Place) -> Iterator[tuple[Place, Tree]]:
    if above:
        yield above, tree
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _places(below, (*above, key))
    elif isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from _places(below, (*above, index))


def _changed(value: Tree) -> Tree:
    if isinstance(value, bool):
        return not value
    if is_number(value):
        return value + 1
    if isinstance(value, str):
        return "" if value else "x"
    return type(value)() if isinstance(value, dict | list) else ABSENT
