"""Owns what controllers derive from guarded objects: people's writes to it are recorded. Must not refuse any.

Whose an object is, its controller's ownerReference tells; where an object that Git does not know stands between, that
one's name does: the Pods of a Deployment belong to ReplicaSet `<deployment>-<hash>`.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.kept import kept
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Entry
from webhook.decision import message
from webhook.decision.identity import is_controller
from webhook.decision.types import Decision
from webhook.decision.verdict import Verdict

_RULES_KEPT: Final = 4
_BETWEEN: Final = {("apps", "ReplicaSet"): ("apps", "Deployment"), ("batch", "Job"): ("batch", "CronJob")}


def record_derived(verdict: Verdict) -> Decision | None:
    """The record of a person's write to what a guarded object's policy asks to be told of; None for all else."""
    request, snapshot = verdict.request, verdict.snapshot
    if not _any_asks(snapshot.rules.policies) or is_controller(request.identity):
        return None
    entry = _origin(verdict, request.old) or _origin(verdict, request.object)
    if entry is None or entry.policy.descendants != "Audit":
        return None
    return Decision(allowed=True, code="recorded", audit=message.audit(verdict, entry, "recorded"), guarded=True)


@kept(_RULES_KEPT)
def _any_asks(policies: tuple[Policy, ...]) -> bool:
    """Whether any policy asks at all: most clusters have none that does, and every unguarded write comes here."""
    return any(one.descendants == "Audit" for one in policies)


def _origin(verdict: Verdict, tree: Tree) -> Entry | None:
    """The guarded object that controllers have derived `tree` from."""
    owners = dig(tree, "metadata", "ownerReferences")
    for owner in owners if isinstance(owners, list) else []:
        if dig(owner, "controller") is True:
            group, _, _ = str(dig(owner, "apiVersion")).rpartition("/")
            kind, name = str(dig(owner, "kind")), str(dig(owner, "name"))
            return _guarded(verdict, group, kind, name)
    return None


def _guarded(verdict: Verdict, group: str, kind: str, name: str) -> Entry | None:
    snapshot, namespace = verdict.snapshot, verdict.request.namespace
    found = snapshot.by_ref(ObjectRef(group, kind, namespace, name))
    if found is None and (group, kind) in _BETWEEN:
        found = snapshot.by_ref(ObjectRef(*_BETWEEN[group, kind], namespace, name.rpartition("-")[0]))
    return found
