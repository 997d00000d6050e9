"""Owns whether grants permit what is otherwise refused. Must not find violations.

Of several grants that name the subject and the object the strictest wins: each of them must permit every path, and the
one that ends first is named (a looser one beside it opens nothing).
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.compare.place import UNKNOWN
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT
from reconciler.policy.grant import Grant
from webhook.decision.identity import is_one_of
from webhook.decision.leaves import covered, leaves_between
from webhook.decision.types import Identity
from webhook.decision.violation import Violation


def granted_by(
    grants: Sequence[Grant], identity: Identity, ref: ObjectRef, violations: Sequence[Violation], now: float
) -> Grant | None:
    """The grant under which `identity` may do it at `now` (Unix seconds), or None. No violations: a whole operation."""
    named = [
        grant
        for grant in grants
        if grant.holds(now) and is_one_of(identity, grant.subjects) and grant.scope.takes_in(ref)
    ]
    if not named or not all(_permits(grant, violations) for grant in named):
        return None
    return min(named, key=lambda grant: (grant.not_after, grant.id))


def _permits(grant: Grant, violations: Sequence[Violation]) -> bool:
    paths = grant.scope.paths
    if not paths:
        return True
    return bool(violations) and all(covered(leaf, paths) for one in violations for leaf in _leaves(one))


def _leaves(one: Violation) -> list[Path]:
    """What a new object leaves out has no leaf: then the path itself is asked for."""
    was = ABSENT if one.was is UNKNOWN else one.was
    return list(leaves_between(one.path, was, one.now)) or [one.path]
