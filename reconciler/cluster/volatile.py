"""Owns finding where two answers to the same dry-run differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.tree import ABSENT, Tree, strict_equal


def differing(one: Tree, other: Tree) -> tuple[str, ...]:
    """RFC 6901 pointers of the leaves that differ, in order; a list of another length differs as a whole."""
    return tuple(_walk(one, other, ""))


def _walk(one: Tree, other: Tree, place: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            below = f"{place}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _walk(one.get(key, ABSENT), other.get(key, ABSENT), below)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _walk(left, right, f"{place}/{index}")
    elif one is ABSENT or other is ABSENT or not strict_equal(one, other):
        yield place
