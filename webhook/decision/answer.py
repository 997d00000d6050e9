"""Owns what becomes of violations: the policy's action, named writers, adoption, audit annotations. Must not find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.compare.mask import clean
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision import message
from webhook.decision.identity import is_one_of
from webhook.decision.types import Cause, Decision, Request
from webhook.decision.violation import Violation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What every answer needs: the request, the snapshot, and whether Git has just been asked."""

    request: Request
    snapshot: SnapshotView
    refreshed: bool

    def entry_of(self, ref: ObjectRef) -> Entry | None:
        """The guarded object behind a ref that the snapshot itself named."""
        return self.snapshot.by_ref(ref)

    def exclusive(self, ref: ObjectRef, policy: Policy) -> Decision:
        """Refuse an undeclared object of an exclusive kind, unless a writer's newer commit may explain it."""
        subjects = [subject for writer in policy.writers for subject in writer.subjects]
        named = is_one_of(self.request.identity, subjects, token=False)
        lines = [
            f"{clean(self.request.identity.username, limit=100)} may not {self.request.operation.lower()} "
            f"{clean(str(ref), limit=200)}: Git declares all objects of kind {ref.kind}, and this one is not among them.",
            f"Policy {policy.name} makes the kind exclusive: a stray object of it changes what the declared ones mean.",
            "What to do: add it in Git, or remove the object (removing it is allowed).",
        ]
        found = Decision(
            False, "exclusive", message.clean_lines(lines), needs_refresh=named and not self.refreshed, guarded=True
        )
        return _by_action(found, policy, adopted=True)


def allow(code: str, *, guarded: bool = False) -> Decision:
    """Admit; `guarded` decisions are recorded."""
    return Decision(True, code, guarded=guarded)


def answer(verdict: Verdict, entry: Entry, violations: Sequence[Violation], *, changed: bool) -> Decision:
    """Admit a change without violations; make of the others what writers, policy and adoption say."""
    if not violations:
        return Decision(
            True, "conforms" if changed else "unchanged", audit=_audit(verdict, entry, "conforms", ()), guarded=True
        )
    request = verdict.request
    causes = tuple(message.cause(violation, request, entry) for violation in violations)
    for writer in entry.policy.writers:
        if is_one_of(request.identity, writer.subjects, token=False):
            return _writer_mismatch(verdict, entry, causes, content=writer.verify == "Content")
    return _violated(verdict, entry, causes, "")


def _writer_mismatch(verdict: Verdict, entry: Entry, causes: tuple[Cause, ...], *, content: bool) -> Decision:
    if not content:
        return Decision(
            True,
            "writer-recorded",
            causes=causes,
            audit=_audit(verdict, entry, "writer-recorded", causes),
            guarded=True,
        )
    newest = "Git was asked just now: no newer revision explains this write." if verdict.refreshed else ""
    refused = _violated(verdict, entry, causes, newest)
    if refused.allowed or verdict.refreshed:
        return refused
    return Decision(False, refused.code, refused.message, causes, audit=refused.audit, needs_refresh=True, guarded=True)


def _violated(verdict: Verdict, entry: Entry, causes: tuple[Cause, ...], more: str) -> Decision:
    code = _code(causes)
    text = message.denial(verdict.request, entry, verdict.snapshot, causes, more=more)
    refused = Decision(False, code, text, causes, audit=_audit(verdict, entry, code, causes), guarded=True)
    return _by_action(refused, entry.policy, adopted=entry.adopted)


def _code(causes: tuple[Cause, ...]) -> str:
    """The gravest verdict names the decision: held before masked before extra before metadata."""
    verdicts = {cause.verdict for cause in causes}
    names = {"held": "drift", "masked": "masked", "extra": "extra", "metadata": "metadata"}
    return next((name for verdict, name in names.items() if verdict in verdicts), "drift")


def refuse_whole(verdict: Verdict, entry: Entry, code: str, why: str) -> Decision:
    """Refuse a request as a whole: DELETE, finalize, or what cannot be judged (`undecidable` follows its policy)."""
    request = verdict.request
    audit = _audit(verdict, entry, code, ())
    if code == "undecidable":
        lines = [
            f"{clean(request.identity.username, limit=100)} may not change {entry.object.ref}: {clean(why, limit=300)}."
        ]
        found = Decision(
            entry.policy.undecidable == "Allow", code, message.clean_lines(lines), audit=audit, guarded=True
        )
    else:
        text = message.deletion(request, entry, verdict.snapshot, why=why)
        found = Decision(False, code, text, audit=audit, guarded=True)
    return found if found.allowed else _by_action(found, entry.policy, adopted=entry.adopted)


def refuse_cascade_decision(verdict: Verdict, inside: tuple[ObjectRef, ...], code: str) -> Decision:
    """Refuse what would take guarded objects along; the strictest of their policies decides."""
    entries = [entry for ref in inside if (entry := verdict.entry_of(ref)) is not None]
    shown = ", ".join(clean(str(ref), limit=100) for ref in inside[:5])
    more = f" and {len(inside) - 5} more" if len(inside) > 5 else ""
    request = verdict.request
    lines = [
        f"{clean(request.identity.username, limit=100)} may not delete {request.kind} {clean(request.name, limit=253)}: "
        "objects that Git declares would go with it.",
        f"  {shown}{more}",
        "What to do: remove them in Git first.",
    ]
    refused = Decision(False, code, message.clean_lines(lines), audit={"code": code}, guarded=True)
    softest = max(entries, key=lambda entry: ("Audit", "Warn", "Deny").index(entry.policy.action), default=None)
    return _by_action(refused, softest.policy, adopted=softest.adopted) if softest else refused


def _by_action(refused: Decision, policy: Policy, *, adopted: bool) -> Decision:
    if adopted and policy.action == "Deny":
        return refused
    code = {"Warn": "warned", "Audit": "audited"}.get(policy.action, "not-adopted")
    warnings = tuple(refused.message.splitlines()[:4]) if policy.action == "Warn" and adopted else ()
    return Decision(
        True,
        code if adopted else "not-adopted",
        causes=refused.causes,
        warnings=warnings,
        audit=refused.audit,
        guarded=True,
    )


def _audit(verdict: Verdict, entry: Entry, code: str, causes: tuple[Cause, ...]) -> dict[str, str]:
    source = verdict.snapshot.sources.get(entry.object.provenance.source)
    annotations = {"code": code, "snapshot": verdict.snapshot.digest[:16]}
    if source is not None:
        annotations |= {"source": source.name, "revision": clean(source.revision, limit=100)}
    if causes:
        annotations["paths"] = " ".join(cause.pointer for cause in causes[:10])
    return annotations
