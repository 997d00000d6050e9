"""Owns the JSON patch (RFC 6902) that turns a live object back into what Git declares. Must not apply it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonpatch

from reconciler.compare.comparison import WHOLE, Change, Comparison
from reconciler.model.path import Element, ItemKey, Path
from reconciler.model.tree import ABSENT, Tree


def repair(comparison: Comparison, live: Tree) -> tuple[Mapping[str, Any], ...]:
    """Operations on the live object, in order. Free and masked content is left as it is.

    Of an object that differs in more places than are listed, they turn back what is listed.
    """
    target = live
    for change in _in_order([_absent(change) for change in comparison.changes if change is not WHOLE]):
        target = (
            _reordered(target, change.place, change) if change.klass == "order" else _put(target, change.place, change)
        )
    return tuple(jsonpatch.make_patch(live, target))


def _absent(change: Change) -> Change:
    """What Git declares and the API server stores as absent is put back by taking away what is there.

    A string that holds a document is put back whole.
    """
    if change.inside is not None:
        return replace(change, desired=change.inside.text, klass="changed", inside=None)
    return replace(change, desired=ABSENT) if change.desired is None else change


def _in_order(changes: Sequence[Change]) -> Iterator[Change]:
    """Items that go, from the end, so that indices still count; the order of what is left comes last."""
    yield from (change for change in changes if change.desired is not ABSENT and change.klass != "order")
    yield from (change for change in reversed(changes) if change.desired is ABSENT)
    yield from (change for change in changes if change.klass == "order")


def _reordered(tree: Tree, place: Path, change: Change) -> Tree:
    if place:
        head, rest = place[0], place[1:]
        if isinstance(tree, dict) and isinstance(head, str):
            return {**tree, head: _reordered(tree[head], rest, change)} if head in tree else tree
        return [_reordered(item, rest, change) if _fits(item, head) else item for item in tree]
    rank = {name: number for number, name in enumerate(change.desired)}
    named = sorted((item for item in tree if _name(item) in rank), key=lambda item: rank[_name(item)])
    return [named.pop(0) if _name(item) in rank else item for item in tree]


def _fits(item: Tree, head: Element) -> bool:
    return isinstance(head, ItemKey) and head.matches(item)


def _name(item: Tree) -> Any:
    return item.get("name") if isinstance(item, dict) else None


def _put(tree: Tree, place: Path, change: Change) -> Tree:
    if not place:
        return change.desired
    head, rest = place[0], place[1:]
    if isinstance(tree, list) or (tree is ABSENT and not isinstance(head, str)):
        return _put_item(tree if isinstance(tree, list) else [], head, rest, change)
    mapping = tree if isinstance(tree, dict) else {}
    value = _put(mapping.get(head, ABSENT), rest, change)
    if value is ABSENT:
        return {key: old for key, old in mapping.items() if key != head}
    return {**mapping, head: value}


def _put_item(items: list[Tree], head: Element, rest: Path, change: Change) -> list[Tree]:
    at = _index(items, head)
    if change.klass == "missing" and not rest and isinstance(head, int):
        return [*items, change.desired]
    old = items[at] if at < len(items) else ABSENT
    value = _put(old, rest, change)
    if value is ABSENT:
        return [*items[:at], *items[at + 1 :]]
    return [*items[:at], value, *items[at + 1 :]]


def _index(items: list[Tree], head: Element) -> int:
    if isinstance(head, ItemKey):
        exact = (i for i, item in enumerate(items) if head.matches(item))
        near = (i for i, item in enumerate(items) if head.may_match(item))
        return next(exact, next(near, len(items)))
    return head if isinstance(head, int) else len(items)
