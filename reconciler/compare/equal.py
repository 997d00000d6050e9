"""Owns equality of values at one place: what counts as the same, by the type of the place. Must not report paths."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

import msgspec

from reconciler.model.quantity import nanoseconds, quantity
from reconciler.model.tree import ABSENT, Tree, strict_equal
from reconciler.schema.types import TypeNode

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def same(a: Tree, b: Tree) -> bool:
    """Untouched: strict equality, with a fast "no" (Python's == is looser) and a fast "yes" (the same JSON)."""
    if a is b:
        return True
    if a != b:
        return False
    return (isinstance(a, dict | list) and _same_json(a, b)) or strict_equal(a, b)


def _same_json(a: Tree, b: Tree) -> bool:
    try:
        return _ENCODER.encode(a) == _ENCODER.encode(b)
    except (UnicodeEncodeError, msgspec.MsgspecError, RecursionError):
        return False  # a lone surrogate, say: proves nothing


def blank(value: Tree, *, lenient: bool) -> bool:
    """True where the API reads `value` as absent: null always; empty and zero values too while `lenient`.

    `lenient` is for forms that no server has confirmed: many fields drop their zero value when they are stored.
    """
    if value is ABSENT or value is None:
        return True
    return lenient and (value is False or value in ("", 0) or value in ({}, []))


def _bytes(value: Tree) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


_BY_MEANING: Final[dict[str, Callable[[Tree], object | None]]] = {
    "quantity": quantity,
    "duration": nanoseconds,
    "bytes": _bytes,
}


def equal_scalar(want: Tree, now: Tree, node: TypeNode, *, lenient: bool) -> bool:
    """Equality of two values that are not both maps or both lists."""
    if blank(want, lenient=lenient) and blank(now, lenient=lenient):
        return True
    if want is ABSENT or now is ABSENT:
        return False
    meaning = _BY_MEANING.get(node.scalar)
    if meaning is not None:
        left, right = meaning(want), meaning(now)
        if left is not None and right is not None:
            return left == right
    return strict_equal(want, now)


def fits(want: Tree, now: Tree, node: TypeNode, *, lenient: bool) -> bool:
    """Equality as far as `want` goes while `lenient`: in a form that no server has confirmed, defaults are missing."""
    if not lenient:
        return equal(want, now, node, lenient=False)
    if isinstance(want, dict) and isinstance(now, dict):
        return all(fits(value, now.get(key, ABSENT), node.at(key), lenient=True) for key, value in want.items())
    if isinstance(want, list) and isinstance(now, list):
        return len(want) == len(now) and all(
            fits(a, b, node.item, lenient=True) for a, b in zip(want, now, strict=True)
        )
    return equal_scalar(want, now, node, lenient=not isinstance(want, dict | list))


def equal(want: Tree, now: Tree, node: TypeNode, *, lenient: bool) -> bool:
    """Equality of whole trees, lists in order, each value by the type of its place.

    An empty map is a value here also while `lenient`: in the peers of a NetworkPolicy `{}` opens to everyone.
    """
    if isinstance(want, dict) and isinstance(now, dict):
        return all(
            equal(want.get(key, ABSENT), now.get(key, ABSENT), node.at(key), lenient=lenient)
            for key in want.keys() | now.keys()
        )
    if isinstance(want, list) and isinstance(now, list):
        if len(want) != len(now):
            return False
        return all(equal(a, b, node.item, lenient=lenient) for a, b in zip(want, now, strict=True))
    return equal_scalar(want, now, node, lenient=lenient and not isinstance(want, dict) and not isinstance(now, dict))
