"""Owns what an answer of the API server shows: for each struct of an object, how it was sent and how it came back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.probe.shapes import Path, Root, Shape, Shapes, Tree


@dataclass(frozen=True, slots=True)
class Observation:
    """One struct: its definition, the kind of the object (`apps/Deployment`), as sent and as answered."""

    definition: str
    root: str
    sent: dict[str, Any]
    answered: dict[str, Any]


def observations(shapes: Shapes, root: Root, sent: Tree, answered: Tree, at: Path = ()) -> Iterator[Observation]:
    """The structs above, at and below the path `at` that stand in both.

    List items are matched by place: a list that the server reordered shows as altered in the struct that holds it.
    """
    found = {path: struct for path, _, struct in shapes.structs(root, without_nulls(answered), at)}
    for path, definition, struct in shapes.structs(root, without_nulls(sent), at):
        if path in found:
            yield Observation(definition, root.name, struct, found[path])


def without_nulls(value: Tree) -> Tree:
    """The tree without null fields, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(below) for name, below in value.items() if below is not None}
    return [without_nulls(below) for below in value] if isinstance(value, list) else value


def altered(shape: Shape, sent: Tree, answered: Tree) -> bool:
    """Did the server change a list or map that was sent? Structs in it are looked at on their own.

    A changed scalar tells of two fields that contradict each other, which nobody writes down for long.
    """
    if shape.form not in {"list", "map"}:
        return False
    if shape.form == "list" and shape.item and shape.item.form == "struct":
        return not isinstance(answered, list) or len(sent) != len(answered)
    if shape.form == "map" and shape.item and shape.item.form == "struct":
        return not isinstance(answered, dict) or sent.keys() != answered.keys()
    return bool(sent != answered)
