"""Owns DELETE: of a guarded object, and of what would take guarded objects along. Must not judge fields."""

from __future__ import annotations

from typing import Final

from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, dig
from reconciler.snapshot.model import Entry
from webhook.decision.answer import Verdict, allow, refuse_cascade_decision, refuse_whole
from webhook.decision.content import delegations_for
from webhook.decision.identity import GARBAGE_COLLECTOR, is_one_of
from webhook.decision.types import Decision

_CRD: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
_APISERVICE: Final = ("apiregistration.k8s.io", "apiservices")


def decide_delete(verdict: Verdict, entry: Entry | None) -> Decision:
    """Answer a DELETE. The name may be empty and the old object absent (collections): then nothing is found by name."""
    request = verdict.request
    if dig(request.old, "metadata", "deletionTimestamp") is not ABSENT:
        return allow("terminating", guarded=entry is not None)
    inside = taken_along(verdict)
    if entry is not None and not entry.policy.fragment:
        if code := _permitted(verdict, entry, inside):
            return allow(code, guarded=True)
        return refuse_whole(verdict, entry, "delete", _why(inside))
    if inside and not _serves_all(verdict, inside):
        return refuse_cascade(verdict, inside, "delete-cascade")
    return allow("unguarded")


def taken_along(verdict: Verdict) -> tuple[ObjectRef, ...]:
    """Guarded objects that would go with the object that is deleted."""
    request, snapshot = verdict.request, verdict.snapshot
    place = (request.group, request.resource)
    name = request.name or str(dig(request.old, "metadata", "name"))
    if place == ("", "namespaces"):
        return snapshot.inside_namespace(name)
    if place == _CRD:
        plural, _, group = name.partition(".")
        return snapshot.of_resource(group, plural)
    if place == _APISERVICE:
        _, _, group = name.partition(".")
        return snapshot.of_resource(group, "")
    return ()


def refuse_cascade(verdict: Verdict, inside: tuple[ObjectRef, ...], code: str) -> Decision:
    """Refuse because of the guarded objects that would go along."""
    return refuse_cascade_decision(verdict, inside, code)


def _permitted(verdict: Verdict, entry: Entry, inside: tuple[ObjectRef, ...]) -> str:
    identity = verdict.request.identity
    if delegations_for(entry, verdict.snapshot.rules, identity, "DELETE"):
        return "system-controller"
    if is_one_of(identity, GARBAGE_COLLECTOR) and dig(entry.object.want, "metadata", "ownerReferences") is not ABSENT:
        return "system-controller"
    writers = [subject for writer in entry.policy.writers for subject in writer.subjects]
    if is_one_of(identity, writers) and (not inside or _serves_all(verdict, inside)):
        return "writer-delete"
    return ""


def _serves_all(verdict: Verdict, inside: tuple[ObjectRef, ...]) -> bool:
    """A GitOps writer may take a container along only if it serves every guarded object in it."""
    for ref in inside:
        entry = verdict.entry_of(ref)
        subjects = [subject for writer in entry.policy.writers for subject in writer.subjects] if entry else []
        if not is_one_of(verdict.request.identity, subjects):
            return False
    return bool(inside)


def _why(inside: tuple[ObjectRef, ...]) -> str:
    if not inside:
        return "Git declares it"
    return f"Git declares it, and {len(inside)}{'+' if len(inside) == 10 else ''} guarded objects would go with it"
