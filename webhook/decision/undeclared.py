"""Owns objects that Git does not declare: free, unless their kind is exclusive. Must not judge declared ones."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from reconciler.compare.equal import same
from reconciler.compare.leaves import covered, leaves_between
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.exclusive import concerns, occasional
from reconciler.policy.model import Policy, Rules
from reconciler.policy.select import strictest
from webhook.decision.answer import admit_unlisted, allow, refuse_exclusive
from webhook.decision.content import delegations_for
from webhook.decision.rules import Handling
from webhook.decision.types import Decision
from webhook.decision.verdict import Verdict

_AROUND: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


def decide_undeclared(verdict: Verdict, handling: Handling) -> Decision:
    """Answer CREATE or UPDATE of an object that no source declares."""
    request = verdict.request
    ref = ObjectRef(request.group, _kind(verdict, handling), request.namespace, verdict.name)
    standing = verdict.snapshot.exclusive_policies(ref.group, ref.kind)
    exclusive = [*standing, *occasional(verdict.snapshot.rules, ref.group, ref.kind)]
    policy = strictest(policy for policy in exclusive if concerns(policy, ref, request.object))
    # A status subresource stores no content.
    if policy is None or handling == "metadata":
        return allow("unguarded")
    was, now = content(request.old), content(request.object)
    if request.operation == "UPDATE" and same(was, now):
        return allow("unguarded")
    if _delegated(verdict, policy, ref, was, now):
        return admit_unlisted(verdict, "system-controller", policy)
    return refuse_exclusive(verdict, ref, policy)


def content(tree: Tree) -> Tree:
    """An object without its type, metadata and status; nothing of what is no object."""
    return {key: value for key, value in tree.items() if key not in _AROUND} if isinstance(tree, dict) else {}


def _kind(verdict: Verdict, handling: Handling) -> str:
    """A Scale does not say what kind its replicas are of: the declared objects of the same resource do."""
    request = verdict.request
    if handling != "replicas" or not _names_group(verdict.snapshot.rules, request.group):
        return request.kind
    beside = verdict.snapshot.of_resource(request.group, request.resource).shown
    return beside[0].kind if beside else request.kind


def _names_group(rules: Rules, group: str) -> bool:
    """False spares a look through all objects of a resource: every HPA writes Scales."""
    kinds = [kind for policy in rules.policies if policy.exclusive for match in policy.match for kind in match.kinds]
    return any("/" not in kind or fnmatchcase(group, kind.rpartition("/")[0]) for kind in kinds)


def _delegated(verdict: Verdict, policy: Policy, ref: ObjectRef, was: Tree, now: Tree) -> bool:
    """What the cluster's machinery makes everywhere, such as the root CA of each namespace, is no stray object."""
    request = verdict.request
    rules = verdict.snapshot.rules
    delegations = delegations_for(policy, ref, rules, request.identity, request.operation, declared=False)
    patterns = [path for delegation in delegations for path in delegation.paths]
    return bool(delegations) and all(covered(leaf, patterns) for leaf in leaves_between((), was, now))
