"""Owns that equal parts of many objects are kept once. Whoever gets one must not change it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from reconciler.model.tree import Tree

# Parts longer than this are seldom alike, and would keep many others out.
_LONGEST: Final = 4 * 1024
_PARTS: Final = 4096
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def shared(tree: Tree) -> Tree:
    """A tree equal to this one: the same for all equal ones, as long as there are not too many."""
    try:
        data = _encode(tree)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return tree
    return _part(data) if len(data) <= _LONGEST else tree


@lru_cache(maxsize=_PARTS)
def _part(data: bytes) -> Tree:
    return msgspec.json.decode(data)
