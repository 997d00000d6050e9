"""Owns the form of answers: admissions, and refusals before anyone softens them. Must not find violations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from reconciler.limits import DENIAL_CAUSES
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from reconciler.policy.select import strictest
from reconciler.snapshot.model import Earlier, Entry, Taken
from webhook.decision import message
from webhook.decision.blast import NONE, blast, blast_of_taken
from webhook.decision.identity import named_writer
from webhook.decision.outcome import settle
from webhook.decision.types import Code, Decision
from webhook.decision.verdict import Verdict
from webhook.decision.violation import Violation


@cache
def allow(code: Code) -> Decision:
    """Admit what does not concern us; nothing is recorded."""
    return Decision(allowed=True, code=code)


def admit(verdict: Verdict, entry: Entry, code: Code) -> Decision:
    """Admit a request about a guarded object as a whole."""
    return Decision(allowed=True, code=code, audit=message.audit(verdict, entry, code), guarded=True)


def admit_unlisted(verdict: Verdict, code: Code, policy: Policy | None = None) -> Decision:
    """Admit a request about something that Git does not declare, and that is recorded all the same."""
    return Decision(allowed=True, code=code, audit=message.snapshot_audit(verdict, code, policy), guarded=True)


def conforms(verdict: Verdict, entry: Entry, *, changed: bool) -> Decision:
    """Admit a change without violations."""
    return admit(verdict, entry, "conforms" if changed else "unchanged")


def answer(verdict: Verdict, entry: Entry, violations: Sequence[Violation], older: Earlier | None = None) -> Decision:
    """Make of violations what writers, policy, grants and adoption say; `older` is the revision that explains them."""
    request = verdict.request
    documents = (entry.object.want, request.old, request.object)
    causes = tuple([message.cause(violation, documents) for violation in violations[:DENIAL_CAUSES]])
    writer = named_writer(request.identity, entry.policy.writers)
    if writer is not None and writer.verify == "None":
        audit = message.audit(verdict, entry, "writer-recorded", causes)
        return Decision(allowed=True, code="writer-recorded", causes=causes, audit=audit, guarded=True)
    code = "older-revision" if older is not None else _code(violations)
    more = message.looked(verdict.look, entry.source) if writer is not None else ""
    more = message.outdated(verdict, older) if older else more
    hit = blast(verdict, entry.ref, documents[0])
    refused = Decision(
        allowed=False,
        code=code,
        message=message.denial(verdict, entry, causes, total=len(violations), more=more, users=hit.lines),
        causes=causes,
        audit={**message.audit(verdict, entry, code, causes), **hit.audit},
        guarded=True,
        users=hit.lines,
    )
    return settle(
        *(verdict, refused, entry.policy, entry.ref),
        adopted=entry.adopted,
        violations=violations,
        serving=[entry.policy],
        source=entry.source,
        want=documents[0],
    )


def _code(violations: Sequence[Violation]) -> Code:
    """The gravest verdict names the decision: held before masked before extra before metadata."""
    verdicts = {message.verdict(violation) for violation in violations}
    names: dict[str, Code] = {"held": "drift", "masked": "masked", "extra": "extra", "metadata": "metadata"}
    return next((name for verdict, name in names.items() if verdict in verdicts), "drift")


def refuse_whole(verdict: Verdict, entry: Entry, code: Code, why: str) -> Decision:
    """Refuse a request as a whole: DELETE, finalize, or what cannot be judged (`undecidable` follows its policy)."""
    policy, hit = entry.policy, NONE
    if code == "undecidable":
        if policy.undecidable == "Allow":
            return admit(verdict, entry, code)
        text = message.undecidable(verdict.request, entry, why)
    else:
        hit = blast(verdict, entry.ref, entry.object.want)
        text = message.refused_whole(verdict, entry, verb=_VERBS.get(code, code), why=why, users=hit.lines)
    audit = {**message.audit(verdict, entry, code), **hit.audit}
    refused = Decision(allowed=False, code=code, message=text, audit=audit, guarded=True, users=hit.lines)
    # A prune may be ahead of our snapshot; with an impersonated writer only Git itself can tell.
    serving = [policy] if code == "delete" else []
    return settle(verdict, refused, policy, entry.ref, adopted=entry.adopted, serving=serving)


_VERBS: dict[Code, str] = {"delete": "delete", "delete-cascade": "delete", "finalize": "finalize"}


def refuse_cascade(verdict: Verdict, inside: Taken, code: Code, *, verb: str = "delete") -> Decision:
    """Refuse what would take guarded objects along; the strictest of their policies decides."""
    policy = strictest(inside.enforced or inside.reported)
    request = verdict.request
    ref = ObjectRef(request.group, request.kind, request.namespace, verdict.name)
    hit = blast_of_taken(verdict, inside)
    refused = Decision(
        allowed=False,
        code=code,
        message=message.cascade(verdict, ref, inside, verb=verb, users=hit.lines),
        audit={**message.snapshot_audit(verdict, code, policy), **hit.audit},
        guarded=True,
        users=hit.lines,
    )
    if policy is None:
        return refused
    serving = [*inside.enforced, *inside.reported]
    return settle(verdict, refused, policy, ref, adopted=bool(inside.enforced), serving=serving)


def refuse_exclusive(verdict: Verdict, ref: ObjectRef, policy: Policy) -> Decision:
    """Refuse an undeclared object of an exclusive kind, unless a writer's newer commit may explain it."""
    if (recorded := _let_through(verdict, policy)) is not None:
        return recorded
    hit = blast(verdict, ref)
    refused = Decision(
        allowed=False,
        code="exclusive",
        message=message.exclusive(verdict, ref, policy, users=hit.lines),
        audit={**message.snapshot_audit(verdict, "exclusive", policy), **hit.audit},
        guarded=True,
        users=hit.lines,
    )
    return settle(verdict, refused, policy, ref, adopted=_is_enforced(verdict, policy), serving=[policy])


def _is_enforced(verdict: Verdict, policy: Policy) -> bool:
    """False while what makes a kind exclusive is itself only watched."""
    request, snapshot = verdict.request, verdict.snapshot
    if policy in snapshot.of_resource(request.group, request.resource).enforced:
        return True
    return bool(policy.once) and any(source.enforced for source in snapshot.sources.values())


def refuse_lever(
    verdict: Verdict,
    ref: ObjectRef,
    policy: Policy,
    serving: Sequence[Policy],
    lines: Sequence[str],
    *,
    grantable: bool,
) -> Decision:
    """Refuse a change of what steers the guard itself; `lines` say why, and who may. `serving` as `settle` has them."""
    audit = message.snapshot_audit(verdict, "own-lever", policy)
    text = message.lever(verdict, ref, lines, grantable=grantable)
    refused = Decision(allowed=False, code="own-lever", message=text, audit=audit, guarded=True)
    return settle(verdict, refused, policy, ref, serving=serving)


def _let_through(verdict: Verdict, policy: Policy) -> Decision | None:
    """What a writer writes whom nobody verifies is recorded."""
    writer = named_writer(verdict.request.identity, policy.writers)
    if writer is None or writer.verify != "None":
        return None
    return admit_unlisted(verdict, "writer-recorded", policy)
