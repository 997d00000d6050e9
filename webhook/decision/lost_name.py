"""Owns the warning at a DELETE that takes an extended resource name from a class that keeps it. Must not refuse.

Of two DeviceClasses with one extended resource name kube-scheduler forgets the name when either goes: Pods that ask for
it wait until the class that stays changes in some way (k8s.io/dynamic-resource-allocation, extendedresourcecache).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.compare.mask import clean
from reconciler.model.tree import dig
from webhook.decision.types import Decision
from webhook.decision.verdict import Verdict

_CLASS: Final = ("resource.k8s.io", "DeviceClass")
_CHARS: Final = 250


def with_repair(verdict: Verdict, decided: Decision) -> Decision:
    """`decided`, with the way to repair where an admitted DELETE leaves a declared class without its name."""
    request = verdict.request
    if request.operation != "DELETE" or (request.group, request.kind) != _CLASS or not decided.allowed:
        return decided
    resource = dig(request.old, "spec", "extendedResourceName")
    left = _declared_with(verdict, resource) if isinstance(resource, str) and resource else ""
    if not left:
        return decided
    lines = (
        f"Setscrew: kube-scheduler forgets {resource} with this class, also for DeviceClass {left}, which Git declares",
        f'Setscrew: once it is gone: kubectl annotate deviceclass {left} touched="$(date +%s)" --overwrite',
    )
    return replace(decided, warnings=(*decided.warnings, *(clean(line, limit=_CHARS) for line in lines)))


def _declared_with(verdict: Verdict, resource: str) -> str:
    """The class that Git declares with this extended resource name, and that is not the one that goes."""
    snapshot = verdict.snapshot
    for ref in snapshot.refs_of(*_CLASS):
        entry = snapshot.by_ref(ref) if ref.name != verdict.name else None
        if entry is not None and dig(entry.object.want, "spec", "extendedResourceName") == resource:
            return ref.name
    return ""
