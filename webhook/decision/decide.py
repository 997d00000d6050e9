"""Owns the decision: one request, one snapshot, one answer. Pure: no clock, no I/O, no logging.

The order of questions: what is the subresource to us, is the object guarded, does the operation as a whole pass, which
changed paths are violations, and what does the policy make of them.
"""

from __future__ import annotations

from reconciler.canonical.volatile import live_form
from reconciler.compare.equal import same
from reconciler.compare.walk import UNKNOWN
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import dig
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision import deletion, scale
from webhook.decision.answer import Verdict, allow, answer, refuse_whole
from webhook.decision.content import judge_content
from webhook.decision.identity import CANONICALIZER, NAMESPACE_CONTROLLER, is_one_of
from webhook.decision.metadata import judge_metadata
from webhook.decision.rules import SUBRESOURCES
from webhook.decision.types import Decision, Request


def decide(request: Request, snapshot: SnapshotView | None, now: float, *, refreshed: bool = False) -> Decision:
    """Answer one request by the decision rule of docs/architecture.md.

    `now` is Unix seconds (grants end). `refreshed` says that the reconciler has just looked at Git, so that a named
    writer's mismatch is final. With no snapshot nothing can be judged: refused with code `no-snapshot`.
    """
    if request.identity.username == CANONICALIZER and request.dry_run:
        return allow("canonicalizer")
    if snapshot is None:
        return Decision(False, "no-snapshot", "Setscrew has not read the desired state yet; try again in a moment.")
    handling = SUBRESOURCES.get(request.subresource)
    if handling in ("record", "ignore") or request.operation == "CONNECT":
        return allow("not-configuration" if handling != "record" else "recorded")
    verdict = Verdict(request, snapshot, refreshed=refreshed)
    entry = snapshot.find(request.group, request.resource, request.namespace, _name(request))
    if handling is None:
        return _unknown_subresource(verdict, entry)
    if handling == "finalize":
        return _finalize(verdict, entry)
    if request.operation == "DELETE":
        return deletion.decide_delete(verdict, entry)
    if entry is None:
        return _unguarded(verdict)
    return _change(verdict, entry, handling)


def _name(request: Request) -> str:
    """Collection deletes and `generateName` arrive without a name: the object has it, if anyone."""
    if request.name:
        return request.name
    for tree in (request.old, request.object):
        name = dig(tree, "metadata", "name")
        if isinstance(name, str) and name:
            return name
    return ""


def _unknown_subresource(verdict: Verdict, entry: Entry | None) -> Decision:
    if entry is None:
        return allow("unguarded")
    why = f"nobody has taught Setscrew what the subresource {verdict.request.subresource!r} writes"
    return refuse_whole(verdict, entry, "undecidable", why)


def _finalize(verdict: Verdict, entry: Entry | None) -> Decision:
    inside = verdict.snapshot.inside_namespace(verdict.request.name)
    if (entry is None and not inside) or is_one_of(verdict.request.identity, NAMESPACE_CONTROLLER):
        return allow("unguarded" if entry is None and not inside else "system-controller", guarded=entry is not None)
    if entry is not None:
        return refuse_whole(verdict, entry, "finalize", "only the namespace controller finalizes it")
    return deletion.refuse_cascade(verdict, inside, "finalize")


def _unguarded(verdict: Verdict) -> Decision:
    """An object that Git does not declare: free, unless its kind is exclusive."""
    request = verdict.request
    policy = verdict.snapshot.exclusive_policy(request.group, request.kind) if not request.subresource else None
    if policy is None:
        return allow("unguarded")
    old = {} if request.old is None else live_form(request.old, b"")
    if request.operation == "UPDATE" and same(old.get("spec"), live_form(request.object or {}, b"").get("spec")):
        return allow("unguarded")
    ref = ObjectRef(request.group, request.kind, request.namespace, _name(request))
    return verdict.exclusive(ref, policy)


def _change(verdict: Verdict, entry: Entry, handling: str) -> Decision:
    request, snapshot = verdict.request, verdict.snapshot
    if entry.policy.fragment and request.operation == "CREATE":
        return allow("fragment", guarded=True)
    if not isinstance(request.object, dict) or (request.operation == "UPDATE" and not isinstance(request.old, dict)):
        return refuse_whole(verdict, entry, "undecidable", "the request holds no object to compare")
    if handling == "replicas":
        was, now = scale.as_object(entry, request.old), scale.as_object(entry, request.object)
        return answer(
            verdict, entry, scale.judge(entry, snapshot, request.identity, was, now), changed=not same(was, now)
        )
    now = live_form(request.object, snapshot.secret_key)
    was = UNKNOWN if request.operation == "CREATE" else live_form(request.old, snapshot.secret_key)
    before = {} if was is UNKNOWN else was
    if handling == "metadata":
        # `.status` is not configuration, and the status strategy drops all other content.
        now = {**before, "metadata": now.get("metadata", {})}
    violations = [
        *judge_content(entry, snapshot.rules, request.identity, request.operation, was, now),
        *judge_metadata(entry, snapshot, request.identity, before, now),
    ]
    return answer(verdict, entry, violations, changed=not same(before, now))
