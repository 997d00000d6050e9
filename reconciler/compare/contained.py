"""Owns one question: does a text that nobody has defaulted hold anything that want does not? Must not judge changes.

It is asked of `last-applied-configuration`: less than Git is fine there, more is not.
"""

from __future__ import annotations

from reconciler.canonical.form import Mask
from reconciler.canonical.items import keyed
from reconciler.compare.equal import Blank, Reading, blank, equal_scalar
from reconciler.compare.masking import MaskNode
from reconciler.model.path import Element, Path
from reconciler.model.tree import ABSENT, Tree
from reconciler.schema.types import TypeNode

# A CA that is no CA, as charts write it for an injector to replace: a mask hides it although Git has it.
_PLACEHOLDERS = ("\n", "Cg==", "Cg")
_UNSURE = Reading(offline=True)
_Parts = list[tuple[Element, Tree, Tree, TypeNode]]


def beyond(said: Tree, want: Tree, node: TypeNode, masks: MaskNode | None = None, path: Path = ()) -> Path | None:
    """The first place where `said` holds what `want` does not; None where want holds all of it."""
    mask = masks.hiding(ABSENT, said) if masks is not None else None
    if mask is not None and mask.to and said == 0:
        return path  # replicas, say: the next apply would take away what an autoscaler has set
    if blank(said, Blank.ZERO) or (mask is not None and _hidden(said, mask)):
        return None
    if isinstance(said, dict) and isinstance(want, dict):
        parts: _Parts = [(key, value, want.get(key, ABSENT), node.at(key)) for key, value in said.items()]
    elif isinstance(said, list) and isinstance(want, list):
        if node.list_type == "set":
            return _outside(said, want, node, path)
        pairs = _items(said, want, node)
        if pairs is None:
            return path
        parts = pairs
    else:
        return None if equal_scalar(want, said, node, _UNSURE, path) else path
    found = (
        beyond(one, other, kind, masks.at(key) if masks is not None else None, (*path, key))
        for key, one, other, kind in parts
    )
    return next((place for place in found if place is not None), None)


def _hidden(said: Tree, mask: Mask) -> bool:
    """Values that a rule hides: only those that Git may well declare although want is without them."""
    return not mask.to or (isinstance(said, str) and said in _PLACEHOLDERS)


def _outside(said: list[Tree], want: list[Tree], node: TypeNode, path: Path) -> Path | None:
    for index, item in enumerate(said):
        if all(beyond(item, other, node.item) is not None for other in want):
            return (*path, index)
    return None


def _items(said: list[Tree], want: list[Tree], node: TypeNode) -> _Parts | None:
    """Pairs of items; None where an atomic list has another length."""
    if node.list_type == "map":
        ours, theirs = keyed(said, node), keyed(want, node)
        if ours is not None and theirs is not None:
            return [(key, item, theirs.get(key, ABSENT), node.item) for key, item in ours.items()]
    if len(said) != len(want):
        return None
    return [(index, item, want[index], node.item) for index, item in enumerate(said)]
