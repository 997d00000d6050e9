"""Owns CP-04: each GPU node has one NVIDIADriver. Where two want a node, the operator assigns none anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import leaving, mapping, node_labels, selects, shown, some
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig

RULES: Final = {"CP-04": "NVIDIADrivers share out the nodes: one default, no overlap, a type that stays as it is"}

_DRIVER: Final = ("nvidia.com", "NVIDIADriver")
_GPU_NODE: Final = {"nvidia.com/gpu.present": "true"}
_SELECTOR: Final[Path] = ("spec", "nodeSelector")
_DEFAULT: Final[Path] = ("spec", "default")
# What the API server fills in where nothing is written.
_FIXED: Final = {"driverType": "gpu", "usePrecompiled": ABSENT}


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """What sets this driver against the others, and against itself as it is live."""
    others = [(one, other) for one, other in world.of(*_DRIVER) if one != ref and not leaving(one, other, world)]
    if _is_default(tree):
        yield from _default(ref, tree, [one.name for one, other in others if _is_default(other)])
    else:
        yield from _overlaps(ref, tree, {one.name: other for one, other in others if not _is_default(other)}, world)
    yield from _changed(ref, tree, world)


def _is_default(tree: Tree) -> bool:
    return dig(tree, *map(str, _DEFAULT)) is True


def _selector(tree: Tree) -> dict[str, Tree]:
    """The labels of the nodes that it wants, all of them GPU nodes."""
    return _GPU_NODE | mapping(tree, "spec", "nodeSelector")


def _default(ref: ObjectRef, tree: Tree, defaults: list[str]) -> Iterator[Problem]:
    if defaults:
        message = f"a second default driver beside {some(defaults)}: the operator assigns none"
        yield Problem("CP-04", "error", ref, _DEFAULT, message, "leave default: true to one NVIDIADriver")
    if mapping(tree, "spec", "nodeSelector"):
        message = "the default driver has a nodeSelector, but it is for the nodes that no other driver wants"
        yield Problem("CP-04", "error", ref, _SELECTOR, message, "remove the nodeSelector, or default: true")


def _overlaps(ref: ObjectRef, tree: Tree, others: Mapping[str, Tree], world: World) -> Iterator[Problem]:
    mine = _selector(tree)
    for name, other in others.items():
        theirs = _selector(other)
        if world.clustered:
            nodes = [
                node for node, labels, _ in node_labels(world) if selects(mine, labels) and selects(theirs, labels)
            ]
            said = f"and {shown(name)} both want node {some(nodes)}" if nodes else ""
        else:
            wider = {**mine, **theirs} == mine or {**theirs, **mine} == theirs
            said = f"wants nodes that {shown(name)} wants too" if wider else ""
        if said:
            message = f"driver {shown(ref.name)} {said}: the operator assigns no driver to any node"
            fix = "make the nodeSelectors exclude each other"
            yield Problem("CP-04", "error", ref, _SELECTOR, message, fix)


def _changed(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    live = world.live_twin(ref)
    if live is None or leaving(ref, live, world):
        return
    for field, default in _FIXED.items():
        declared, held = dig(tree, "spec", field), dig(live, "spec", field)
        declared, held = (default if value in (ABSENT, None) else value for value in (declared, held))
        if declared != held and declared is not ABSENT and held is not ABSENT:
            message = f"{field} changes from {shown(held)} to {shown(declared)}, but it never changes in place"
            fix = "take the change back, or declare a new NVIDIADriver under another name and delete this one"
            yield Problem("CP-04", "error", ref, ("spec", field), message, fix)


CHECKERS: Final = (Checker((_DRIVER,), check),)
