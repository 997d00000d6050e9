"""Owns the objects of a review as bytes: decoded when somebody looks, and only what differs. Must not judge.

Equal bytes prove "untouched"; unequal ones prove nothing, so those members are decoded and compared by value. Status
and who wrote what are half of many objects and never judged: they are not decoded at all. Large members are split, so
that this holds for what is inside them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_DEPTH, REVIEW_SPLIT_BYTES
from reconciler.model.tree import Tree, deeper_than

Members = dict[str, msgspec.Raw]
MALFORMED: Final = "SS5001"
TOO_DEEP: Final = "SS5004"
_METADATA: Final = msgspec.json.Decoder(Members | None)
_MAP: Final = ord("{")
_PARTS: Final[dict[int, msgspec.json.Decoder[Any]]] = {
    _MAP: msgspec.json.Decoder(Members),
    ord("["): msgspec.json.Decoder(list[msgspec.Raw]),
}
_VALUE: Final = msgspec.json.Decoder()
# Each level that is split is read once more: few of them, or a deep object would cost its depth.
_SPLIT_LEVELS: Final = 5
# What is needed to judge or to record, changed or not: identity, owners, whether the object is going.
_KEPT: Final = frozenset({"apiVersion", "kind"})
_KEPT_METADATA: Final = frozenset({"name", "namespace", "resourceVersion", "deletionTimestamp", "ownerReferences"})
_ELSEWHERE: Final = frozenset({"metadata", "status"})
_UNREAD_METADATA: Final = frozenset({"managedFields"})


class RawObjects:
    """`object` and `oldObject` of one review. Looking at either raises ReviewError where they cannot be read."""

    __slots__ = ("_members", "_trees")

    def __init__(self, new: Members | None, old: Members | None) -> None:
        self._members = new, old
        self._trees: tuple[Tree, Tree] | None = None

    @property
    def new(self) -> Tree:
        """The object as it is asked for, without the members that the request leaves as they are."""
        return (self._trees or self._read())[0]

    @property
    def old(self) -> Tree:
        """The object as it was, without the same members."""
        return (self._trees or self._read())[1]

    def whole(self) -> tuple[Tree, Tree]:
        """The object as it is asked for and as it was, with the members that are the same in both."""
        return self._decoded(_whole)

    def _read(self) -> tuple[Tree, Tree]:
        self._trees = self._decoded(_trees)
        return self._trees

    def _decoded(self, decode: Callable[[Members | None, Members | None], tuple[Tree, Tree]]) -> tuple[Tree, Tree]:
        try:
            return decode(*self._members)
        except RecursionError as error:
            raise ReviewError("nested too deeply", status=422, code=TOO_DEEP) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ReviewError(f"object and oldObject must be objects or null: {error}", code=MALFORMED) from error


def _whole(new: Members | None, old: Members | None) -> tuple[Tree, Tree]:
    """Both sides, each on its own."""
    return _trees(new, None)[0], _trees(None, old)[1]


def _trees(new: Members | None, old: Members | None) -> tuple[Tree, Tree]:
    members = _metadata(new), _metadata(old)
    trees = _pair(new, old, _KEPT, _ELSEWHERE, REVIEW_DEPTH - 1)
    metadata = _pair(*members, _KEPT_METADATA, _UNREAD_METADATA, REVIEW_DEPTH - 2)
    for tree, inner in zip(trees, metadata, strict=True):
        if inner is not None:
            tree["metadata"] = inner
    return trees


def _pair(
    new: Members | None, old: Members | None, kept: frozenset[str], unread: frozenset[str], levels: int
) -> tuple[Tree, Tree]:
    """Both sides without what is the same in both, but for what is `kept`, which they then share; None for no side."""
    if new is None or old is None:
        return _alone(new, unread, levels), _alone(old, unread, levels)
    tree: dict[str, Tree] = {}
    tree_old: dict[str, Tree] = {}
    for key, raw in new.items():
        if key in unread:
            continue
        other = old.get(key)
        if raw == other:
            if key in kept:
                tree[key] = tree_old[key] = _value(raw, levels)
        elif other is None:
            tree[key] = _value(raw, levels)
        else:
            tree[key], tree_old[key] = _both(raw, other, levels)
    for key, raw in old.items():
        if key not in new and key not in unread:
            tree_old[key] = _value(raw, levels)
    return tree, tree_old


def _alone(side: Members | None, unread: frozenset[str], levels: int) -> Tree:
    return None if side is None else {key: _value(raw, levels) for key, raw in side.items() if key not in unread}


def _metadata(side: Members | None) -> Members | None:
    return _METADATA.decode(side["metadata"]) or {} if side and "metadata" in side else None


def _both(new: msgspec.Raw, old: msgspec.Raw, levels: int) -> tuple[Tree, Tree]:
    """Two values that differ. In large ones what is equal in bytes is decoded once: both hold the same tree there."""
    if len(new) >= REVIEW_SPLIT_BYTES <= len(old) and levels > REVIEW_DEPTH - _SPLIT_LEVELS:
        opening = memoryview(new)[0]
        if opening == memoryview(old)[0] and opening in _PARTS:
            parts, parts_old = _PARTS[opening].decode(new), _PARTS[opening].decode(old)
            return (_maps if opening == _MAP else _lists)(parts, parts_old, levels - 1)
    return _value(new, levels), _value(old, levels)


def _maps(new: Members, old: Members, levels: int) -> tuple[dict[str, Tree], dict[str, Tree]]:
    decode, short = _VALUE.decode, 2 * levels
    tree: dict[str, Tree] = {}
    tree_old: dict[str, Tree] = dict.fromkeys(old)  # in its own order
    for key, raw in new.items():
        other = old.get(key)
        if other is not None and other != raw:
            tree[key], tree_old[key] = _both(raw, other, levels)
            continue
        value = tree[key] = decode(raw) if len(raw) <= short else _value(raw, levels)
        if other is not None:
            tree_old[key] = value
    for key in old.keys() - new.keys():
        tree_old[key] = _value(old[key], levels)
    return tree, tree_old


def _lists(new: list[msgspec.Raw], old: list[msgspec.Raw], levels: int) -> tuple[list[Tree], list[Tree]]:
    """Of thousands of items few differ: the others are decoded in one go."""
    pairs = zip(new, old, strict=False)
    apart = {at: _both(one, other, levels) for at, (one, other) in enumerate(pairs) if one != other}
    alike = iter(_values([raw for at, raw in enumerate(new) if at not in apart], levels))
    trees = [apart[at][0] if at in apart else next(alike) for at in range(len(new))]
    trees_old = trees[: len(old)] + _values(old[len(new) :], levels)
    for at, (_, tree) in apart.items():
        trees_old[at] = tree
    return trees, trees_old


def _values(raws: list[msgspec.Raw], levels: int) -> list[Tree]:
    """See `_value`; what is too short to be deep is not asked, nor is a function called for it."""
    decode, short = _VALUE.decode, 2 * levels
    return [decode(raw) if len(raw) <= short else _value(raw, levels) for raw in raws]


def _value(raw: msgspec.Raw, levels: int) -> Tree:
    """One value. Raises ReviewError where mappings and lists are nested in it more than `levels` deep."""
    value = _VALUE.decode(raw)
    if len(raw) > 2 * levels and _may_be_deep(raw, levels) and deeper_than(value, levels):
        raise ReviewError(f"an object is nested more than {REVIEW_DEPTH} levels deep", status=422, code=TOO_DEEP)
    return value


def _may_be_deep(raw: msgspec.Raw, levels: int) -> bool:
    """False for almost all values, so that few are walked: each level needs a bracket to open it, one to close it."""
    text = bytes(raw)
    return text.count(b"{") + text.count(b"[") > levels
