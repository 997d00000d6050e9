"""Owns making many objects out of one: each field removed, emptied, added, set to other values; pairs of these.

Must not know whether the API server takes them: it refuses what is wrong, and that is cheap.
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.probe.shapes import Path, Root, Shape, Shapes, Tree

# Values of one field that are tried where it is absent or has another: kinds of values matter, not values.
_TRIED = 5
_PAIRS = 10
# What is refused in one seed may be accepted in another.
_LIKE = 2
_ABSENT: Any = object()
Edit = tuple[str, Any]


@dataclass(slots=True)
class Variants:
    """Makes the variants of seeds; no more than two of equal structs in one kind."""

    shapes: Shapes
    _pool: dict[tuple[str, str], dict[str, Tree]] = field(default_factory=dict)
    _made: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def learn(self, root: Root, tree: Tree) -> None:
        """Remember the values of a seed, so that they are tried in others."""
        for _, definition, struct in self.shapes.structs(root, tree):
            for name, value in struct.items():
                self._pool.setdefault((definition, name), {})[_text(value)] = value

    def of(self, root: Root, tree: Tree, *, thorough: bool = True) -> Iterator[tuple[Tree, Path]]:
        """The seed itself and everything made of it, with the place of the change; only fields are removed, one at a time, unless `thorough`."""
        yield tree, ()
        for path, definition, struct in list(self.shapes.structs(root, tree)):
            edits = list(self._edits(definition, struct))
            singles = [(edit,) for edit in edits if thorough or edit[1] is _ABSENT]
            for chosen in [*singles, *(_pairs(edits, _text(struct)) if thorough else ())]:
                edited = _edited(struct, chosen)
                if self._new(root, definition, edited):
                    yield _replaced(tree, path, edited), path

    def _new(self, root: Root, definition: str, struct: dict[str, Tree]) -> bool:
        """Was a struct like it, whatever stands in the structs below, made for the kind less than `_LIKE` times?"""
        fields = self.shapes.fields(definition)
        flat = {name: value if name in fields and fields[name].flat else bool(value) for name, value in struct.items()}
        key = (root.api_version + root.name, definition, _text(flat))
        self._made[key] += 1
        return self._made[key] <= _LIKE

    def _edits(self, definition: str, struct: dict[str, Tree]) -> Iterator[Edit]:
        for name, shape in self.shapes.fields(definition).items():
            if name in {"metadata", "status", "apiVersion"} or (
                name == "kind" and "PersistentVolumeClaim" in definition
            ):
                continue
            if name in struct:
                yield name, _ABSENT
            for value in self._values(definition, name, shape):
                if name not in struct or _text(struct[name]) != _text(value):
                    yield name, value

    def _values(self, definition: str, name: str, shape: Shape) -> list[Tree]:
        pool = self._pool.get((definition, name), {})
        values = [*shape.zeros, *shape.enum, *list(pool.values())[:_TRIED]]
        if shape.type == "boolean":
            values.append(True)
        if shape.type in {"integer", "port"}:
            values.append(3)
        return list({_text(value): value for value in values}.values())


def _pairs(edits: list[Edit], name: str) -> Iterator[tuple[Edit, ...]]:
    chosen = random.Random(name)
    for _ in range(min(_PAIRS, len(edits))):
        pair = chosen.sample(edits, 2) if len(edits) > 1 else []
        if len({name for name, _ in pair}) == 2:
            yield tuple(pair)


def _edited(struct: dict[str, Tree], edits: Iterable[Edit]) -> dict[str, Tree]:
    out = {**struct, **dict(edits)}
    return {name: value for name, value in out.items() if value is not _ABSENT}


def _replaced(tree: Tree, path: Path, struct: dict[str, Tree]) -> Tree:
    tree = copy.deepcopy(tree)
    if not path:
        kept = {name: tree[name] for name in ("apiVersion", "kind", "metadata")}
        return {**kept, **struct}
    at = tree
    for element in path[:-1]:
        at = at[element]
    at[path[-1]] = struct
    return tree


def _text(value: Tree) -> str:
    return json.dumps(value, sort_keys=True)
