"""Owns what becomes of a refusal: adoption, the policy's action, grants, and a writer that may be ahead of us.

Must not find violations or word denials.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.model import Policy, Writer
from webhook.decision import message
from webhook.decision.granted import granted_by
from webhook.decision.identity import has_real_token, named_writer
from webhook.decision.types import Code, Decision
from webhook.decision.verdict import Verdict
from webhook.decision.violation import Violation


def settle(
    verdict: Verdict,
    refused: Decision,
    policy: Policy,
    ref: ObjectRef,
    *,
    adopted: bool = True,
    violations: Sequence[Violation] = (),
    serving: Iterable[Policy] = (),
    source: str = "",
    want: Tree = ABSENT,
) -> Decision:
    """The refusal itself, or the admission that the policy's action, a grant or a slow look at Git makes of it.

    `serving` are the policies whose writers may be ahead of the snapshot here; empty: nobody could. `source` is the one
    that declares the object, "" where any may come to declare it. `want` is the object as Git wants it, where there are
    violations.
    """
    policies = tuple(serving)
    writer = named_writer(verdict.request.identity, (one for policy in policies for one in policy.writers))
    if writer is not None and not verdict.look.asked:
        # Whatever the action: who is merely ahead of us shall not stand in a warning or a record as one who drifts.
        return replace(refused, needs_refresh=True)
    if not adopted:
        return _admitted(refused, "not-adopted")
    if policy.action == "Warn":
        lines = [line for line in refused.message.splitlines() if line not in refused.users]
        return _admitted(refused, "warned", warnings=(*lines[:4], *refused.users))
    if policy.action == "Audit":
        return _admitted(refused, "audited")
    documents = (want, verdict.request.old, verdict.request.object)
    grant = granted_by(verdict.grants, verdict.request.identity, ref, violations, verdict.now, documents)
    if grant is not None:
        found = _admitted(refused, "granted", warnings=(message.granted(grant), *refused.users))
        return replace(found, grant=grant.id, audit={**found.audit, "grant": grant.id})
    return refused if writer is None else _of_writer(verdict, refused, writer, source, policies)


def _of_writer(verdict: Verdict, refused: Decision, writer: Writer, source: str, serving: Iterable[Policy]) -> Decision:
    """A named writer whose write does not match, though Git was asked: our slowness must not fail a deployment.

    Where nobody can verify the content in time, the identity must be beyond doubt: impersonation is not. And no commit
    of his may take along what he does not serve: a real writer whose DELETE is refused would do just that.
    """
    look, identity = verdict.look, verdict.request.identity
    ahead = look.ahead & {source} if source else look.ahead
    late = ahead and not look.answered and refused.code not in ("older-revision", "delete")
    serves_all = all(named_writer(identity, policy.writers) for policy in serving)
    if late and serves_all and writer.on_timeout == "Allow" and has_real_token(identity):
        return _admitted(refused, "unverified", warnings=(message.unverified(ahead),))
    # Where paths are listed their message says it already.
    return refused if refused.causes else replace(refused, message=f"{refused.message}\n{message.looked(look, source)}")


def _admitted(refused: Decision, code: Code, warnings: tuple[str, ...] = ()) -> Decision:
    audit = {**refused.audit, "code": code} if refused.audit else {}
    return Decision(
        allowed=True,
        code=code,
        causes=refused.causes,
        warnings=warnings,
        audit=audit,
        guarded=True,
        would=refused.code,
        users=refused.users,
    )
