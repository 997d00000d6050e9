"""Owns the guard's own levers: GitSource, DriftPolicy and DriftGrant that no source declares. Must not judge fields.

Whoever could suspend a source or set a policy to Audit by hand would need no other way around the guard; nor would
whoever could take their definitions away.
"""

from __future__ import annotations

from reconciler.canonical.volatile import live_form
from reconciler.compare.equal import same
from reconciler.model.own import GROUP, LEVERS
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.policy.select import policy_for
from webhook.decision.answer import admit_unlisted, allow, refuse_lever
from webhook.decision.definitions import no_longer_served
from webhook.decision.deletion import DEFINITIONS
from webhook.decision.types import Decision
from webhook.decision.verdict import Verdict


def lever_kind(verdict: Verdict) -> str:
    """Which of our own kinds a request touches, in itself or by ending its definition; "" for none."""
    request = verdict.request
    if request.group == GROUP:
        return LEVERS.get(request.resource, "")
    if (request.group, request.resource) != DEFINITIONS:
        return ""
    plural, _, group = verdict.name.partition(".")
    ends = request.operation == "DELETE" or no_longer_served(request)
    return LEVERS.get(plural, "") if ends and group == GROUP else ""


def decide_lever(verdict: Verdict, kind: str) -> Decision:
    """Answer a write to a lever that Git does not declare; its status is no configuration."""
    request, snapshot = verdict.request, verdict.snapshot
    if request.subresource:
        return allow("not-configuration")
    if dig(request.old, "metadata", "deletionTimestamp") not in (ABSENT, None) and request.operation == "DELETE":
        return admit_unlisted(verdict, "terminating")
    was, now = (_form(tree, snapshot.secret_key) for tree in (request.old, request.object))
    if request.operation == "UPDATE" and same(was, now):
        return admit_unlisted(verdict, "unchanged")
    policy = policy_for(snapshot.rules.policies, ObjectRef(GROUP, kind, "", verdict.name), "", {})
    ref = ObjectRef(request.group, request.kind, "", verdict.name)
    return allow("unguarded") if policy is None else refuse_lever(verdict, ref, policy)


def _form(tree: Tree, secret_key: bytes) -> Tree:
    """What counts of a lever: all but the labels and annotations that steer nobody."""
    if not isinstance(tree, dict):
        return {}
    form = live_form(tree, secret_key)
    metadata = form.get("metadata", {})
    kept = {name: value for name, value in metadata.items() if name not in ("labels", "annotations")}
    steering = [
        (field, key, value)
        for field in ("annotations", "labels")
        for found in (metadata.get(field),)
        for key, value in (found.items() if isinstance(found, dict) else ())
        if key.partition("/")[0] == GROUP
    ]
    return {**form, "metadata": kept, "steering": steering}
