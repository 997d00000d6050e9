"""Owns the decision: one request, one snapshot, one answer. Pure: no clock, no I/O, no logging.

The order of questions: what is the subresource to us, is the object guarded, does the operation as a whole pass, which
changed paths are violations, and what does the policy make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.canonical.versions import converted
from reconciler.canonical.volatile import live_form
from reconciler.compare.equal import same
from reconciler.compare.leaves import covered
from reconciler.compare.place import UNKNOWN
from reconciler.embedded.parser import Parser, read_json
from reconciler.gpu.users.model import Census
from reconciler.model.own import CANONICALIZER
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.policy.exclusive import occasional
from reconciler.policy.grant import Grant
from reconciler.policy.select import any_kind
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision import deletion, scale
from webhook.decision.answer import admit, admit_unlisted, allow, answer, conforms, refuse_cascade, refuse_whole
from webhook.decision.content import delegations_for, judge_content
from webhook.decision.definitions import decide_definition
from webhook.decision.derived import record_derived
from webhook.decision.gpu_rule import held_to_rules
from webhook.decision.identity import NAMESPACE_CONTROLLER, is_controller, is_one_of
from webhook.decision.levers import decide_lever, lever_of
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.lost_name import with_repair
from webhook.decision.metadata import judge_metadata
from webhook.decision.optout import left_to_others
from webhook.decision.revisions import explaining, in_window, scaled_by_bounds_of_before
from webhook.decision.rulebook import Rulebook, new_errors
from webhook.decision.rules import SUBRESOURCES, Handling
from webhook.decision.types import Decision, Request
from webhook.decision.undeclared import content, decide_undeclared
from webhook.decision.verdict import Verdict, uncounted
from webhook.decision.violation import Violation

NO_SNAPSHOT = Decision(
    allowed=False,
    code="no-snapshot",
    message="Setscrew has not read the desired state yet; try again in a moment.",
)


def decide(
    request: Request,
    snapshot: SnapshotView | None,
    now: float,
    *,
    look: Look = NOT_ASKED,
    grants: Sequence[Grant] = (),
    parse: Parser = read_json,
    census: Callable[[], Census | None] = uncounted,
    rulebook: Rulebook = new_errors,
) -> Decision:
    """Answer one request by the decision rule of docs/architecture.md.

    `now` is Unix seconds (grants end). `look` says what the reconciler saw in Git on behalf of this request, so that a
    named writer's mismatch is final. `parse` reads documents inside strings: what it cannot read is compared as text.
    `census` tells who uses which GPU class; what is simply admitted never asks. `rulebook` judges what would be
    admitted although it is not what Git says, of kinds that define GPU classes only.
    With no snapshot nothing can be judged: refused with code `no-snapshot`. Raises ReviewError where the objects must
    be looked at and cannot be read.
    """
    if request.identity.username == CANONICALIZER and request.dry_run:
        return allow("canonicalizer")
    if snapshot is None:
        return NO_SNAPSHOT
    handling = SUBRESOURCES.get(request.subresource)
    if handling == "ignore" or request.operation == "CONNECT":
        return allow("not-configuration")
    if _is_never_guarded(request, snapshot):
        return allow("unguarded")
    verdict = Verdict(request, snapshot, _name(request), now, look, grants, parse, census)
    entry = snapshot.find(request.group, request.resource, request.namespace, verdict.name)
    decided = _asked(verdict, entry, handling)
    return with_repair(verdict, held_to_rules(verdict, entry, handling, decided, rulebook))


def _asked(verdict: Verdict, entry: Entry | None, handling: Handling | None) -> Decision:
    """By what Git says, and who may leave it."""
    if handling == "record":
        decided = allow("recorded") if entry is None else admit(verdict, entry, "recorded")
        return record_derived(verdict) or decided
    if handling is None:
        return _unknown_subresource(verdict, entry)
    if handling == "finalize":
        return _finalize(verdict, entry)
    if lever := lever_of(verdict, entry):
        if (answered := decide_lever(lever)) is not None:
            return answered
        verdict = lever.verdict
    if entry is None:
        return _outside(verdict, handling)
    if verdict.request.operation == "DELETE":
        return deletion.decide_delete(verdict, entry)
    return _change(verdict, entry, handling)


def _is_never_guarded(request: Request, snapshot: SnapshotView) -> bool:
    """What only machines write is in no snapshot either, but people are kept from it."""
    rules, place = snapshot.rules, (request.group, request.kind)
    return any_kind(rules.never_guarded, *place) and not occasional(rules, *place)


def _outside(verdict: Verdict, handling: Handling) -> Decision:
    """An object that Git does not declare: it may hold guarded ones, be of an exclusive kind, or come from one."""
    if verdict.request.operation == "DELETE":
        decided = deletion.decide_delete(verdict, None)
    else:
        decided = decide_definition(verdict) or decide_undeclared(verdict, handling)
    return record_derived(verdict) or decided if decided.code == "unguarded" else decided


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
    request = verdict.request
    if (request.group, request.resource) != deletion.NAMESPACES:
        return _unknown_subresource(verdict, entry)
    inside = deletion.taken_along(verdict)
    if entry is None and not inside:
        return allow("unguarded")
    if is_one_of(request.identity, NAMESPACE_CONTROLLER):
        return (
            admit_unlisted(verdict, "system-controller")
            if entry is None
            else admit(verdict, entry, "system-controller")
        )
    if entry is not None:
        return refuse_whole(verdict, entry, "finalize", "only the namespace controller finalizes it")
    return refuse_cascade(verdict, inside, "finalize")


def _change(verdict: Verdict, entry: Entry, handling: Handling) -> Decision:
    request, snapshot = verdict.request, verdict.snapshot
    old, new = request.old, request.object  # what cannot be read is never admitted, whatever it is
    if entry.policy.fragment and request.operation == "CREATE":
        return admit(verdict, entry, "fragment")
    if not isinstance(new, dict) or (request.operation == "UPDATE" and not isinstance(old, dict)):
        return refuse_whole(verdict, entry, "undecidable", "the request holds no object to compare")
    if handling == "replicas":
        was, now = scale.as_object(entry, old), scale.as_object(entry, new)
        return _answered(verdict, entry, was, now, lambda one: scale.judge(one, snapshot, request.identity, was, now))
    was = UNKNOWN if request.operation == "CREATE" else live_form(old, snapshot.secret_key)
    now = live_form(new, snapshot.secret_key)
    if handling == "metadata":
        # `.status` is not configuration, and the status strategy drops all other content.
        now = {**({} if was is UNKNOWN else was), "metadata": now.get("metadata", {})}
    if request.version != entry.version and request.version:
        return _in_other_version(verdict, entry, was, now)
    return _judged(verdict, entry, was, now)


def _in_other_version(verdict: Verdict, entry: Entry, was: Tree, now: Tree) -> Decision:
    """Content has another shape here. The entry registered for the version of Git judges it, where there is one."""
    request = verdict.request
    if was is not UNKNOWN and same(content(was), content(now)):
        return _judged(verdict, entry, was, now)
    if verdict.snapshot.declares_version(request.group, request.version, request.kind):
        return admit(verdict, entry, "other-version")
    version = f"{request.group}/{entry.version}"
    before, after = (state if state is UNKNOWN else converted(state, version) for state in (was, now))
    if before is not None and after is not None:
        return _judged(verdict, entry, before, after)
    why = f"Git declares it in version {entry.version}, the request is in {request.version}"
    return refuse_whole(verdict, entry, "undecidable", why)


def _judged(verdict: Verdict, entry: Entry, was: Tree, now: Tree) -> Decision:
    return _answered(verdict, entry, was, now, lambda one: _violations(verdict, one, was, now))


def _answered(
    verdict: Verdict, entry: Entry, was: Tree, now: Tree, judge: Callable[[Entry], list[Violation]]
) -> Decision:
    """Judge against what Git wants; a named writer, once Git has been asked, also against its last revisions."""
    rules = verdict.snapshot.rules
    found = left_to_others(entry, rules, judge(entry))
    if not found:
        return conforms(verdict, entry, changed=not same({} if was is UNKNOWN else was, now))

    def fits(one: Entry) -> bool:
        return not left_to_others(one, rules, judge(one))

    if (lagging := scaled_by_bounds_of_before(verdict, entry, fits)) is not None:
        return conforms(verdict, lagging.entry, changed=True)
    older = explaining(verdict, entry, fits)
    if older is not None and in_window(verdict, older):
        return conforms(verdict, older.entry, changed=True)
    return answer(verdict, entry, found, older)


def _violations(verdict: Verdict, entry: Entry, was: Tree, now: Tree) -> list[Violation]:
    request, snapshot = verdict.request, verdict.snapshot
    before = {} if was is UNKNOWN else was
    found = [
        *judge_content(entry, snapshot.rules, request.identity, request.operation, was, now, verdict.parse),
        *_metadata(verdict, entry, before, now),
    ]
    if not found:
        return []
    if request.operation == "CREATE" and (request.group, request.resource) == deletion.NAMESPACES:
        # Clients ask for a namespace that may be there and take 409 for yes (`helm --create-namespace`): a refusal
        # comes before that. What a bare one lacks is drift that anyone may repair.
        found = [one for one in found if one.now is not ABSENT]
    if dig(request.old, "metadata", "deletionTimestamp") not in (ABSENT, None) and is_controller(request.identity):
        # Once an object is going, its controllers must be able to let it go, though Git declares the finalizer.
        found = [one for one in found if one.path[:2] != ("metadata", "finalizers") or one.kind == "metadata"]
    return found


def _metadata(verdict: Verdict, entry: Entry, was: Tree, now: Tree) -> list[Violation]:
    """Violations in undeclared metadata that no delegation names."""
    request, snapshot = verdict.request, verdict.snapshot
    states = child(was, "metadata"), child(now, "metadata")
    found = list(judge_metadata(entry, snapshot, request.identity, *states, verdict.parse))
    if not found:
        return []
    delegations = delegations_for(entry.policy, entry.ref, snapshot.rules, request.identity, request.operation)
    patterns = [path for delegation in delegations for path in delegation.paths]
    return [violation for violation in found if not covered(violation.path, patterns)]
