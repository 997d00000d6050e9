"""Owns what is held of an object's metadata: declared labels, annotations, finalizers, owners. Must not judge content.

What others add there is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.canonical.form import CanonicalObject
from reconciler.compare.place import CONFIRMED, UNKNOWN, Finding, Place
from reconciler.compare.walk import settled, walk
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import PLAIN

CONTENT_META: Final = ("labels", "annotations", "finalizers", "ownerReferences")


def metadata_findings(canonical: CanonicalObject, was: Tree, now: Tree, root: Place) -> Iterator[Finding]:
    """Declared labels, annotations, finalizers and owners that are not as declared; keys that must not be there."""
    wanted, present, before = _map(canonical.metadata), _map(child(now, "metadata")), _map(child(was, "metadata"))
    for name in CONTENT_META:
        want, after = wanted.get(name, ABSENT), present.get(name, ABSENT)
        old = UNKNOWN if was is UNKNOWN else before.get(name, ABSENT)
        if old is after or (want is ABSENT and (after is ABSENT or not root.reading.compares)):
            continue
        above = root._replace(reading=CONFIRMED).below("metadata", PLAIN)
        place = above.below(name, PLAIN)
        if settled(place, want, old, after):
            continue
        if root.reading.compares and name in ("labels", "annotations"):
            yield from _protected(place, want, after, canonical.semantics)
        found = _held_keys(place, want, old, after) if isinstance(want, dict) else _held_items(place, want, old, after)
        mask = above.mask(want, after) or place.mask(want, after)
        yield from found if mask is None else (one._replace(verdict="masked", mask=mask) for one in found)


def _protected(place: Place, want: Tree, now: Tree, semantics: Semantics) -> Iterator[Finding]:
    """Undeclared keys that change what the object means to the cluster, such as a level of Pod security."""
    for key in now if isinstance(now, dict) else ():
        if child(want, key) is ABSENT and semantics.protects(key):
            yield place.below(key, PLAIN).finding("extra", ABSENT, UNKNOWN, now[key])


def _held_keys(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    for key, value in want.items():
        old, present = UNKNOWN if was is UNKNOWN else child(was, key), child(now, key)
        if not settled(place, value, old, present):
            yield from walk(place.below(key, PLAIN), value, old, present)


def _held_items(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    present = now if isinstance(now, list) else []
    before = was if isinstance(was, list) else []
    for index, value in enumerate(want if isinstance(want, list) else ()):
        if not _holds(present, value) and (was is UNKNOWN or _holds(before, value)):
            yield place.below(index, PLAIN).finding("missing", value, was, ABSENT)


def _holds(items: list[Tree], wanted: Tree) -> bool:
    """An owner is known by kind and name: its uid is the cluster's own."""
    if isinstance(wanted, dict):
        return any(isinstance(i, dict) and all(i.get(k) == wanted.get(k) for k in ("kind", "name")) for i in items)
    return wanted in items


def _map(tree: Tree) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}
