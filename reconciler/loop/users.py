"""Owns the step from a finding to who uses the GPU class that it is about. Must not find drift, nor count users."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.gpu.users.hit import hit
from reconciler.gpu.users.model import Census
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Rules
from reconciler.policy.select import may_be_class
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.drift import DriftItem
from reconciler.report.printable import printable

_KNOWN_STATES: Final = ("drifted", "missing", "extra")


def with_users(item: DriftItem, want: Tree, live: Tree, rules: Rules, census: Census | None) -> DriftItem:
    """The finding with who uses what it is about; as it is where that is no GPU class.

    `want` and `live` are ABSENT where Git does not declare the object and where it is not there.
    """
    ref = ObjectRef(item.group, item.kind, item.namespace, item.name)
    if item.state not in _KNOWN_STATES or not may_be_class(rules, ref.group, ref.kind):
        return item
    found = hit(rules, ref, _as_declared(want, live), live, load_embedded)
    return item if found is None else replace(item, gpu=printable(found.as_json(census)))


def _as_declared(want: Tree, live: Tree) -> Tree:
    """What Git declares, of a Node in its live state: all else of it is left to others, and no drift."""
    if not (isinstance(want, dict) and isinstance(live, dict)) or want.get("kind") != "Node":
        return want
    metadata, wanted = live.get("metadata"), dig(want, "metadata", "labels")
    theirs = dig(metadata, "labels")
    labels = {**(theirs if isinstance(theirs, dict) else {}), **(wanted if isinstance(wanted, dict) else {})}
    return {**live, "metadata": {**(metadata if isinstance(metadata, dict) else {}), "labels": labels}}
