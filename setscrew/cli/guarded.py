"""Owns which guarded object is meant by KIND/NAME, as people name it on the command line. Must not ask a cluster."""

from __future__ import annotations

from typing import Final

from reconciler.errors import UsageError
from reconciler.snapshot.model import Entry
from setscrew.cli.drift_named import Target, parse_target
from webhook.server.feed import SnapshotFile

# What controllers make of declared objects, under any of the names that kubectl takes.
_DERIVED: Final = frozenset(
    {"pod", "pods", "po", "replicaset", "replicasets", "rs", "job", "jobs", "controllerrevision", "controllerrevisions"}
)
DERIVED_TEXT: Final = "Pods, ReplicaSets and Jobs that controllers derive are not guarded in this version"


def find(snapshot: SnapshotFile, target: str, namespace: str) -> Entry:
    """The guarded object of that name. Raises UsageError where there is none, or several."""
    found = find_all(snapshot, parse_target(target), namespace)
    if not found:
        where = f" in namespace {namespace}" if namespace else ""
        derived = parse_target(target).kind in _DERIVED
        why = DERIVED_TEXT if derived else "what Git does not name is free, unless its kind is exclusive"
        raise UsageError(f"{target}{where} is not guarded: no source declares it", hint=why)
    if len(found) > 1:
        groups = {entry.ref.group for entry in found}
        hint = "give one with -n" if len(groups) == 1 else "name its group, such as certificate.cert-manager.io/web"
        raise UsageError(f"{target} is in several {'namespaces' if len(groups) == 1 else 'groups'}", hint=hint)
    return found[0]


def find_all(snapshot: SnapshotFile, target: Target, namespace: str) -> list[Entry]:
    """All guarded objects that the name may mean."""
    return [
        entry
        for entry in snapshot.entries()
        if (target.kind == entry.object.kind.resource or target.is_of(_item(entry)))
        and entry.ref.name == target.name
        and target.group in ("", entry.ref.group)
        and (namespace in ("", entry.ref.namespace) or not entry.ref.namespace)
    ]


def _item(entry: Entry) -> dict[str, str]:
    return {"kind": entry.ref.kind, "name": entry.ref.name, "group": entry.ref.group}
