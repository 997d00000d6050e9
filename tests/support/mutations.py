"""Owns single changes to a live object, as people and controllers make them. Must not compare or judge.

Each names the place that must be reported, and the topmost place that may stand for it: a list that is one value, or an
item whose key has changed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.items import item_key, keyed
from reconciler.canonical.volatile import HASHED, hash_secret
from reconciler.model.quantity import nanoseconds, quantity
from reconciler.model.tree import ABSENT, Tree, child, dig, is_number
from reconciler.schema.types import PLAIN, TypeNode
from tests.support.corpus import KEY, Held

Place = tuple[str | int, ...]
What = Literal["changed", "zeroed", "removed", "item-removed", "item-added", "key-added", "default-overridden"]
ADDED_KEY = "addedByHand"
_IDENTITY = ("apiVersion", "kind", "metadata", "status")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: `value` is put at `place`, ABSENT takes it away; `unit` is the topmost place that may say it."""

    what: What
    place: Place
    value: Tree
    unit: Place

    def on(self, live: Tree) -> Tree:
        """The live object after it; what is not touched is shared."""
        return edited(live, self.place, self.value)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the walk stands: what Git says there, what the API server has made of it, what the form wants."""

    place: Place
    node: TypeNode
    said: Tree
    stored: Tree
    want: Tree
    unit: Place | None = None

    def field(self, name: str) -> _Spot:
        said, stored, want = (child(tree, name) for tree in (self.said, self.stored, self.want))
        return _Spot((*self.place, name), self.node.at(name), said, stored, want, self.unit)._settled()

    def item(self, index: int, item: Tree, count: int) -> _Spot:
        trees = (self.said, self.stored, self.want)
        said, stored, want = (_twin(tree, index, item, count, self.node) for tree in trees)
        return _Spot((*self.place, index), self.node.item, said, stored, want, self.unit)._settled()

    def _settled(self) -> _Spot:
        """What the form lacks altogether is reported at its topmost place."""
        return self.within(self.place) if self.want is ABSENT or self.want is None else self

    def within(self, unit: Place) -> _Spot:
        """The same spot inside one value; the outermost counts."""
        return self if self.unit is not None else replace(self, unit=unit)

    @property
    def declared(self) -> bool:
        """Git says something here."""
        return self.said is not ABSENT and self.said is not None

    @property
    def known(self) -> bool:
        """Git or the API server has put something here: what is there came from neither a person nor a controller."""
        return self.declared or self.stored is not ABSENT

    @property
    def top(self) -> Place:
        """The topmost place that may stand for what is done here."""
        return self.place if self.unit is None else self.unit

    def mutation(self, what: What, value: Tree, *more: str | int) -> Mutation:
        place = (*self.place, *more)
        return Mutation(what, place, value, place if self.unit is None else self.unit)


def _twin(items: Tree, index: int, item: Tree, count: int, node: TypeNode) -> Tree:
    """The item of another list that stands for `item`: by key, by value where order is none, else by its place."""
    if not isinstance(items, list):
        return ABSENT
    key = item_key(item, node) if node.list_type == "map" else None
    if key is not None:
        return next((other for other in items if item_key(other, node) == key), ABSENT)
    if node.list_type == "set" and item in items:
        return item
    return items[index] if len(items) == count else ABSENT if index >= len(items) else item


def mutations(held: Held, form: CanonicalObject, live: Tree) -> Iterator[Mutation]:
    """All of them, in the order of the live object. `live` is as comparisons take it.

    What Git declares is changed and taken away, what the API server fills in is overridden, and each list and map gets
    something more. What controllers have added since (the rules of an aggregated role) is nobody's desired state.
    """
    said, stored = (hash_secret(tree, KEY) for tree in (held.rendered.tree, held.answer.tree or {}))
    root = _Spot((), form.types, said, stored, form.want)
    for key, value in live.items():
        if key not in _IDENTITY:
            yield from _walk(root.field(key), value)
    yield from _metadata(form, live)


def sampled(everything: list[Mutation], seed: str, most: int) -> list[Mutation]:
    """All of them, or about `most` that are the same in each run: of each kind of change the same share."""
    if len(everything) <= most:
        return everything
    dice = random.Random(seed)  # noqa: S311 - the same sample each time is the point
    by_kind: dict[str, list[Mutation]] = {}
    for one in everything:
        by_kind.setdefault(one.what, []).append(one)
    share = most / len(everything)
    return [one for hand in by_kind.values() for one in dice.sample(hand, max(1, round(share * len(hand))))]


def edited(tree: Tree, place: Place, value: Tree) -> Tree:
    """`tree` with `value` at `place`; ABSENT removes, an index one beyond a list appends."""
    head, rest = place[0], place[1:]
    if isinstance(tree, list):
        assert isinstance(head, int)
        if head == len(tree):
            return [*tree, value]
        new = edited(tree[head], rest, value) if rest else value
        return [*tree[:head], *(() if new is ABSENT else (new,)), *tree[head + 1 :]]
    if not rest and value is ABSENT:
        return {key: below for key, below in tree.items() if key != head}
    return {**tree, head: edited(tree[head], rest, value) if rest else value}


def _walk(spot: _Spot, value: Tree) -> Iterator[Mutation]:
    if not spot.known:
        return
    if isinstance(value, dict):
        yield from _map(spot, value)
    elif isinstance(value, list):
        yield from _list(spot, value)
    else:
        yield from _leaf(spot, value)


def _map(spot: _Spot, value: dict[str, Tree]) -> Iterator[Mutation]:
    yield spot.mutation("key-added", "x", ADDED_KEY)
    if absent := sorted(set(spot.node.fields) - set(value)):
        yield spot.mutation("key-added", "x", absent[0])
    if not value and spot.declared:
        yield spot.mutation("removed", ABSENT)
    for key, below in value.items():
        yield from _walk(spot.field(key), below)


def _list(spot: _Spot, items: list[Tree]) -> Iterator[Mutation]:
    node = spot.node
    by_key = node.list_type == "map" and keyed(items, node) is not None
    if not by_key:
        spot = spot.within(spot.place)
    yield spot.mutation("item-added", _another(items, node), len(items))
    if not items and spot.declared:
        yield spot.mutation("removed", ABSENT)
    for index, item in enumerate(items):
        below = spot.item(index, item, len(items))
        if below.declared:
            yield below.mutation("item-removed", ABSENT)
        keys = node.keys if by_key and isinstance(item, dict) else ()
        for one in _walk(below, item):
            is_key = bool(keys) and one.place[len(below.place)] in keys
            yield replace(one, unit=below.top) if is_key else one


def _leaf(spot: _Spot, value: Tree) -> Iterator[Mutation]:
    other, zero = changed(value, spot.node), _zero(value, spot.node)
    yield spot.mutation("changed" if spot.declared else "default-overridden", other)
    if zero not in (value, other):
        yield spot.mutation("zeroed" if spot.declared else "default-overridden", zero)
    if spot.declared:
        yield spot.mutation("removed", ABSENT)


def _metadata(form: CanonicalObject, live: Tree) -> Iterator[Mutation]:
    """What Git declares of labels, annotations, finalizers and owners; what others add there is free."""
    for name in ("labels", "annotations"):
        wanted, held = dig(form.want, "metadata", name), dig(live, "metadata", name)
        for key in wanted if isinstance(wanted, dict) else ():
            if isinstance(held, dict) and key in held:
                yield from _leaf(_Spot(("metadata", name, key), PLAIN, held[key], ABSENT, wanted[key]), held[key])
    for name in ("finalizers", "ownerReferences"):
        wanted, held = dig(form.want, "metadata", name), dig(live, "metadata", name)
        for item in wanted if isinstance(wanted, list) else ():
            place = ("metadata", name, held.index(item))
            yield Mutation("item-removed", place, ABSENT, place[:2])


def changed(value: Tree, node: TypeNode) -> Tree:
    """Another value of the same type, with another meaning."""
    if isinstance(value, bool):
        return not value
    if is_number(value):
        return value + 1
    if not isinstance(value, str):
        return "x"
    if value.startswith(HASHED):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if node.scalar == "quantity" and quantity(value) is not None:
        return "7301m" if quantity(value) != quantity("7301m") else "7302m"
    if node.scalar == "duration" and nanoseconds(value) is not None:
        return "7h3m1s" if nanoseconds(value) != nanoseconds("7h3m1s") else "7h3m2s"
    return "eA==" + value if node.scalar == "bytes" else value + "x"


def _zero(value: Tree, node: TypeNode) -> Tree:
    if isinstance(value, bool):
        return False
    if is_number(value):
        return 0
    return "0" if node.scalar == "quantity" else ""


def _another(items: list[Tree], node: TypeNode) -> Tree:
    """One more item of the same shape, with a key of its own."""
    if not items:
        return "x"
    one = items[0]
    while one in items or (isinstance(one, dict) and any(_same_key(one, item, node) for item in items)):
        one = _varied(one, node)
    return one


def _same_key(one: dict[str, Tree], other: Tree, node: TypeNode) -> bool:
    names = [name for name in node.keys if name in one]
    return bool(names) and isinstance(other, dict) and all(one[name] == other.get(name) for name in names)


def _varied(item: Tree, node: TypeNode) -> Tree:
    if isinstance(item, list):
        return ["x", *item]
    if not isinstance(item, dict):
        return changed(item, node.item)
    name = next((key for key in node.keys if key in item), None) or next(
        (key for key, below in item.items() if not isinstance(below, dict | list)), ADDED_KEY
    )
    return {**item, name: changed(item.get(name), node.item.at(name))}
