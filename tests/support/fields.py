"""Owns declared fields as tests change them: every leaf that Git declares, and other values of the same type.

Knows nothing of canonical forms on purpose: what must be refused is read from Git's own YAML.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from setscrew.demo.own_source_plan import Declared
from setscrew.demo.pick_shared import Place, as_pointer

_IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One leaf of one object, with the value that Git declares."""

    on: Declared
    path: Place
    value: Any

    @property
    def pointer(self) -> str:
        """RFC 6901."""
        return as_pointer(self.path)

    def __str__(self) -> str:
        return f"{self.on.ref} {self.pointer}"


def leaves(tree: Any, above: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Scalars that are neither identity nor status; null and empty containers declare nothing to change."""
    if isinstance(tree, Mapping):
        for key, below in tree.items():
            if (*above, key) not in _IDENTITY and (*above, key) != ("status",):
                yield from leaves(below, (*above, key))
    elif isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from leaves(below, (*above, index))
    elif tree is not None:
        yield above, tree


def shuffled(objects: Sequence[Declared], seed: int) -> Iterator[Field]:
    """Every declared field once, in an order that visits all objects before it takes a second one of any."""
    dice = random.Random(seed)  # noqa: S311 - the same sample each time is the point
    hands = []
    for one in objects:
        hand = [Field(one, path, value) for path, value in leaves(one.tree)]
        dice.shuffle(hand)
        hands.append(hand)
    dice.shuffle(hands)
    while any(hands):
        for hand in hands:
            if hand:
                yield hand.pop()


def others(value: Any) -> list[Any]:
    """Values that differ from `value` and may be valid in its place; the most harmless first."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    text = str(value)
    digits = re.sub(r"\d(?=\D*$)", lambda match: str((int(match[0]) + 1) % 10), text)
    return [other for other in (f"{text}x", digits, f"{text}-x", "other") if other != text]
