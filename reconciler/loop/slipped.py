"""Owns whether a write that nobody judged was about guarded objects. Must not read or store it."""

from __future__ import annotations

from reconciler.model.blind import Slipped
from reconciler.model.own import GROUP
from reconciler.snapshot.model import MemorySnapshot


def concerns(snapshot: MemorySnapshot, write: Slipped) -> bool:
    """True for a write of a guarded object, of our own levers, or of what holds guarded objects; in doubt, true."""
    if write.group == GROUP:
        return True
    if not write.name:  # all of a kind, in one namespace or everywhere, or a name that the server has made up
        inside = (
            (one.object.ref.namespace, one.object.kind.resource, one.object.ref.group) for one in snapshot.entries
        )
        return any(
            (resource, group) == (write.resource, write.group) and write.namespace in ("", namespace)
            for namespace, resource, group in inside
        )
    # For a Namespace the event names the namespace twice.
    for namespace in (write.namespace, ""):
        if snapshot.find(write.group, write.resource, namespace, write.name) is not None:
            return True
    return _holds_some(snapshot, write)


def _holds_some(snapshot: MemorySnapshot, write: Slipped) -> bool:
    match write.group, write.resource:
        case "", "namespaces":
            return bool(snapshot.inside_namespace(write.name))
        case "apiextensions.k8s.io", "customresourcedefinitions":
            resource, _, group = write.name.partition(".")
            return bool(snapshot.of_resource(group, resource))
        case "apiregistration.k8s.io", "apiservices":
            return bool(snapshot.of_resource(write.name.partition(".")[2], ""))
    return False
