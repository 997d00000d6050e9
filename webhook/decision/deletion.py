"""Owns DELETE: of a guarded object, and of what would take guarded objects along. Must not judge fields."""

from __future__ import annotations

from typing import Final

from reconciler.model.tree import ABSENT, child, dig
from reconciler.policy.model import Policy
from reconciler.snapshot.model import SHOWN, Entry, Taken
from webhook.decision.answer import admit, admit_unlisted, allow, refuse_cascade, refuse_whole
from webhook.decision.content import delegations_for
from webhook.decision.identity import GARBAGE_COLLECTOR, is_one_of
from webhook.decision.types import Code, Decision
from webhook.decision.verdict import Verdict

DEFINITIONS: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
API_SERVICES: Final = ("apiregistration.k8s.io", "apiservices")
NAMESPACES: Final = ("", "namespaces")


def decide_delete(verdict: Verdict, entry: Entry | None) -> Decision:
    """Answer a DELETE. The name may be empty and the old object absent (collections): then nothing is found by name."""
    if dig(verdict.request.old, "metadata", "deletionTimestamp") not in (ABSENT, None):
        return allow("terminating") if entry is None else admit(verdict, entry, "terminating")
    inside = taken_along(verdict)
    if entry is not None and not entry.policy.fragment:
        if code := _permitted(verdict, entry, inside):
            return admit(verdict, entry, code)
        return refuse_whole(verdict, entry, "delete", _why(inside))
    if not inside:
        return allow("unguarded") if entry is None else admit(verdict, entry, "fragment")
    if _serves_all(verdict, inside):
        return admit_unlisted(verdict, "writer-delete")
    return refuse_cascade(verdict, inside, "delete-cascade")


def taken_along(verdict: Verdict) -> Taken:
    """Guarded objects that would go with the object that is deleted."""
    request, snapshot = verdict.request, verdict.snapshot
    place, name = (request.group, request.resource), verdict.name
    if place == NAMESPACES:
        return snapshot.inside_namespace(name)
    if place == DEFINITIONS:
        plural, _, group = name.partition(".")
        return snapshot.of_resource(group, plural)
    if place == API_SERVICES:
        _, _, group = name.partition(".")
        return snapshot.of_resource(group, "")
    return Taken()


def _permitted(verdict: Verdict, entry: Entry, inside: Taken) -> Code | None:
    identity = verdict.request.identity
    if delegations_for(entry.policy, entry.ref, verdict.snapshot.rules, identity, "DELETE"):
        return "system-controller"
    if is_one_of(identity, GARBAGE_COLLECTOR) and child(entry.metadata, "ownerReferences") is not ABSENT:
        return "system-controller"
    serves = _serves(verdict, entry.policy) and (not inside or _serves_all(verdict, inside))
    return "writer-delete" if serves else None


def _serves(verdict: Verdict, policy: Policy) -> bool:
    subjects = [subject for writer in policy.writers for subject in writer.subjects]
    return is_one_of(verdict.request.identity, subjects)


def _serves_all(verdict: Verdict, inside: Taken) -> bool:
    """A GitOps writer may take a container along only if it serves every guarded object in it."""
    return all(_serves(verdict, policy) for policy in (*inside.enforced, *inside.reported))


def _why(inside: Taken) -> str:
    if not inside:
        return "Git declares it"
    number = f"{len(inside.shown)}{'+' if len(inside.shown) == SHOWN else ''}"
    return f"Git declares it, and {number} guarded objects would go with it"
