"""Owns DRA-04 and DRA-05: an extended resource name leads to one device class, and to nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.requests import DEVICE_CLASS
from reconciler.gpu.problem import Problem
from reconciler.gpu.resources import offered
from reconciler.gpu.tolerant import leaving, shown, some, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final = {
    "DRA-04": "An extended resource name belongs to one device class, in Git and in the cluster together",
    "DRA-05": "An extended resource name of a device class is not advertised by a device plugin too",
}
_PATH: Final[Path] = ("spec", "extendedResourceName")
# Of two classes with one name kube-scheduler forgets the name with either of them, and elects no other.
_FIX: Final = "leave the name to one class; once the others are gone, change that one in some way (annotate it)"


def extended_resource(tree: Tree) -> str:
    """The extended resource that a class stands for; "" where it names none."""
    return text(tree, "spec", "extendedResourceName")


def holders(world: World) -> Mapping[str, Sequence[ObjectRef]]:
    """Extended resource → the classes that carry it and stay."""
    found: defaultdict[str, list[ObjectRef]] = defaultdict(list)
    for ref, tree in world.of(*DEVICE_CLASS):
        name = extended_resource(tree)
        if name and not leaving(ref, tree, world):
            found[name].append(ref)
    return found


def advertised(world: World) -> Mapping[str, Sequence[str]]:
    """Extended resource → the nodes that hold some of it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for ref, node in world.live.get(("", "Node"), {}).items():
        for name in offered(node):
            found[name].append(ref.name)
    return found


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Who else answers to the name of the class."""
    name = extended_resource(tree)
    if not name:
        return
    others = [one.name for one in world.once(holders).get(name, ()) if one != ref]
    if others:
        message = (
            f"extendedResourceName {shown(name)} is also that of device class {some(others)}: the newer one takes it"
        )
        yield Problem("DRA-04", "error", ref, _PATH, message, _FIX)
    nodes = world.once(advertised).get(name, ())
    if nodes:
        message = f"extendedResourceName {shown(name)} is also advertised by a device plugin on node {some(nodes)}"
        fix = "choose another name, or take the device plugin off these nodes first"
        yield Problem("DRA-05", "warning", ref, _PATH, message, fix)


CHECKERS: Final = (Checker((DEVICE_CLASS,), check),)
