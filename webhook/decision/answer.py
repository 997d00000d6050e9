"""Owns what becomes of violations: the policy's action, named writers, adoption, audit notes. Must not find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.limits import DENIAL_CAUSES
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from reconciler.policy.select import strictest
from reconciler.snapshot.model import Entry, SnapshotView, Taken
from webhook.decision import message
from webhook.decision.identity import named_writer
from webhook.decision.types import Code, Decision, Request
from webhook.decision.violation import Violation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What every answer needs: the request, the snapshot, whether Git has just been asked, and the object's name."""

    request: Request
    snapshot: SnapshotView
    refreshed: bool
    name: str

    def may_be_ahead(self, policies: Sequence[Policy]) -> bool:
        """True if a writer of these policies asks, and nobody has looked yet whether a newer revision explains it."""
        writers = [writer for policy in policies for writer in policy.writers]
        return not self.refreshed and named_writer(self.request.identity, writers) is not None


def allow(code: Code, *, guarded: bool = False) -> Decision:
    """Admit; `guarded` decisions are recorded."""
    return Decision(allowed=True, code=code, guarded=guarded)


def answer(verdict: Verdict, entry: Entry, violations: Sequence[Violation], *, changed: bool) -> Decision:
    """Admit a change without violations; make of the others what writers, policy and adoption say."""
    if not violations:
        conforms: Code = "conforms" if changed else "unchanged"
        return Decision(allowed=True, code=conforms, audit=message.audit(verdict, entry, conforms), guarded=True)
    request = verdict.request
    causes = tuple(message.cause(violation, request, entry) for violation in violations[:DENIAL_CAUSES])
    writer = named_writer(request.identity, entry.policy.writers)
    if writer is not None and writer.verify == "None":
        audit = message.audit(verdict, entry, "writer-recorded", causes)
        return Decision(allowed=True, code="writer-recorded", causes=causes, audit=audit, guarded=True)
    newest = "Git was asked just now: no newer revision explains this write." if writer and verdict.refreshed else ""
    code = _code(violations)
    refused = Decision(
        allowed=False,
        code=code,
        message=message.denial(request, entry, verdict.snapshot, causes, total=len(violations), more=newest),
        causes=causes,
        audit=message.audit(verdict, entry, code, causes),
        needs_refresh=verdict.may_be_ahead([entry.policy]),
        guarded=True,
    )
    return _by_action(refused, entry.policy, adopted=entry.adopted)


def _code(violations: Sequence[Violation]) -> Code:
    """The gravest verdict names the decision: held before masked before extra before metadata."""
    verdicts = {message.verdict(violation) for violation in violations}
    names: dict[str, Code] = {"held": "drift", "masked": "masked", "extra": "extra", "metadata": "metadata"}
    return next((name for verdict, name in names.items() if verdict in verdicts), "drift")


def refuse_whole(verdict: Verdict, entry: Entry, code: Code, why: str) -> Decision:
    """Refuse a request as a whole: DELETE, finalize, or what cannot be judged (`undecidable` follows its policy)."""
    request, policy = verdict.request, entry.policy
    audit = message.audit(verdict, entry, code)
    if code == "undecidable":
        if policy.undecidable == "Allow":
            return Decision(allowed=True, code=code, audit=audit, guarded=True)
        text = message.undecidable(request, entry, why)
    else:
        text = message.refused_whole(request, entry, verdict.snapshot, verb=_VERBS.get(code, code), why=why)
    refused = Decision(
        allowed=False,
        code=code,
        message=text,
        audit=audit,
        # A prune may be ahead of our snapshot; with an impersonated writer only Git itself can tell.
        needs_refresh=code == "delete" and verdict.may_be_ahead([policy]),
        guarded=True,
    )
    return _by_action(refused, policy, adopted=entry.adopted)


_VERBS: dict[Code, str] = {"delete": "delete", "delete-cascade": "delete", "finalize": "finalize"}


def refuse_cascade(verdict: Verdict, inside: Taken, code: Code) -> Decision:
    """Refuse what would take guarded objects along; the strictest of their policies decides."""
    refused = Decision(
        allowed=False,
        code=code,
        message=message.cascade(verdict.request, verdict.name, inside, verb=_VERBS[code]),
        audit=message.snapshot_audit(verdict, code),
        needs_refresh=verdict.may_be_ahead([*inside.enforced, *inside.reported]),
        guarded=True,
    )
    policy = strictest(inside.enforced or inside.reported)
    return _by_action(refused, policy, adopted=bool(inside.enforced)) if policy is not None else refused


def refuse_exclusive(verdict: Verdict, ref: ObjectRef, policy: Policy) -> Decision:
    """Refuse an undeclared object of an exclusive kind, unless a writer's newer commit may explain it."""
    refused = Decision(
        allowed=False,
        code="exclusive",
        message=message.exclusive(verdict.request, ref, policy.name),
        audit=message.snapshot_audit(verdict, "exclusive"),
        needs_refresh=verdict.may_be_ahead([policy]),
        guarded=True,
    )
    return _by_action(refused, policy, adopted=True)


def _by_action(refused: Decision, policy: Policy, *, adopted: bool) -> Decision:
    """The refusal itself, or the admission that the policy's action or a missing adoption makes of it."""
    if adopted and policy.action == "Deny":
        return refused
    code: Code = ("warned" if policy.action == "Warn" else "audited") if adopted else "not-adopted"
    warnings = tuple(refused.message.splitlines()[:4]) if code == "warned" else ()
    audit = {**refused.audit, "code": code} if refused.audit else {}
    return Decision(allowed=True, code=code, causes=refused.causes, warnings=warnings, audit=audit, guarded=True)
