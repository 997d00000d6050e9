"""Owns DRA-06: devices that are in use are opened to administrators only where a namespace is made for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.requests import CLAIMS, requests
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import mapping, shown
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final = {
    "DRA-06": "adminAccess is asked for in namespaces that are labelled for it, and tenants get no such label"
}
LABEL: Final = "resource.kubernetes.io/admin-access"
_NAMESPACE: Final = ("", "Namespace")


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Requests with adminAccess in a namespace that is known not to be labelled."""
    for request in requests(ref, tree):
        if request.body.get("adminAccess") is True and _known_unlabelled(ref.namespace, world):
            message = f"adminAccess in namespace {shown(ref.namespace)}, which has no label {LABEL}=true"
            fix = "remove adminAccess, or move the object to a namespace that is labelled for it"
            # A namespace that is nowhere to be seen may come with another source in a moment.
            absent = world.find(*_NAMESPACE, ref.namespace) is None
            yield Problem("DRA-06", "error", ref, (*request.path, "adminAccess"), message, fix, absent=absent)


def _known_unlabelled(namespace: str, world: World) -> bool:
    """False where nothing is known of the namespace."""
    found = world.find(*_NAMESPACE, namespace)
    if not namespace or (found is None and not world.clustered):
        return False
    live = world.live_twin(ObjectRef(*_NAMESPACE, "", namespace))
    # A namespace that Git declares may have labels that only the cluster knows, where undeclared ones are allowed.
    return not (_labelled(found) or _labelled(live))


def _labelled(namespace: Tree) -> bool:
    return mapping(namespace, "metadata", "labels").get(LABEL) == "true"


def check_namespace(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """A namespace of the cluster that gets the label."""
    live = world.live_twin(ref)
    if live is not None and _labelled(tree) and not _labelled(live):
        message = f"the label {LABEL}=true is new: whoever may create claims here gets at devices that others use"
        fix = "keep the label off namespaces of tenants; use one that only administrators can write to"
        yield Problem("DRA-06", "warning", ref, ("metadata", "labels", LABEL), message, fix)


CHECKERS: Final = (Checker(CLAIMS, check), Checker((_NAMESPACE,), check_namespace))
