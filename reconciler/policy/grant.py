"""Owns the grant: time-boxed permission for named subjects to leave Git within a scope. Must not store or apply it.

Who a subject is, `webhook.decision.identity` says; which paths a request changes, `webhook.decision.granted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Subject
from reconciler.policy.select import any_kind


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant covers; an empty field covers all.

    `refs` are object refs as denials print them (`Deployment.apps shop/web`), shell patterns allowed; `kinds` as in
    policies; `paths` are JSON pointer patterns as in delegations. A scope with paths covers no DELETE.
    """

    refs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def takes_in(self, ref: ObjectRef) -> bool:
        """True if the object is in the scope, whatever its paths."""
        return (
            (not self.refs or any(fnmatchcase(str(ref), pattern) for pattern in self.refs))
            and (not self.kinds or any_kind(self.kinds, ref.group, ref.kind))
            and (not self.namespaces or any(fnmatchcase(ref.namespace, pattern) for pattern in self.namespaces))
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. Times are Unix seconds: it holds from `not_before` to `not_after`, and not from `revoked` on (0: not).

    `created` is when it was made. `approver`, `created_by` and `revoked_by` are names of people, as told by whoever
    made it; `revoked_for` says why.
    """

    id: str
    subjects: tuple[Subject, ...]
    scope: Scope
    reason: str
    not_after: float
    not_before: float = 0.0
    approver: str = ""
    created_by: str = ""
    revoked: float = 0.0
    created: float = 0.0
    revoked_by: str = ""
    revoked_for: str = ""

    def holds(self, now: float) -> bool:
        """True at a moment within its time."""
        return self.not_before <= now < self.not_after and not (self.revoked and self.revoked <= now)
