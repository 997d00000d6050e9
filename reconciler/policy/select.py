"""Owns matching: which policy an object has, which kinds a rule names. Must not know what the settings do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Match, Policy, Rules

# Stands for every kind that is a custom resource. Groups under k8s.io are no mark of one: Gateway API has such a group.
CUSTOM: Final = "{custom}"
_BUILTIN_GROUPS: Final = frozenset(
    {
        *("", "apps", "autoscaling", "batch", "policy"),
        *("admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io"),
        *("authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io"),
        *("flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io"),
        *("rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io"),
        "storagemigration.k8s.io",
    }
)


def kind_matches(pattern: str, group: str, kind: str) -> bool:
    """`apps/Deployment`, `apps/*`, `*.crossplane.io/*`, `ConfigMap` (core group), `*` (all) or `{custom}`."""
    if pattern == "*":
        return True
    if pattern == CUSTOM:
        return group not in _BUILTIN_GROUPS
    wanted_group, slash, wanted_kind = pattern.rpartition("/")
    if not slash:
        return not group and wanted_kind == kind
    return fnmatchcase(group, wanted_group) and fnmatchcase(kind, wanted_kind)


# Some hundred rules ask for some hundred kinds, each for every object.
@lru_cache(maxsize=16_384)
def any_kind(patterns: tuple[str, ...], group: str, kind: str) -> bool:
    """True if one of `patterns` names the kind."""
    return any(kind_matches(pattern, group, kind) for pattern in patterns)


def may_be_class(rules: Rules, group: str, kind: str) -> bool:
    """Whether objects of a kind can be a GPU class at all: asked before anything of one is read."""
    kinds = tuple(dict.fromkeys(one for row in rules.gpu_classes for one in row.kinds))
    return any_kind(kinds, group, kind)


def _matches(match: Match, ref: ObjectRef, source: str, labels: Mapping[str, str]) -> bool:
    return (
        (not match.sources or any(fnmatchcase(source, pattern) for pattern in match.sources))
        and (not match.kinds or any_kind(match.kinds, ref.group, ref.kind))
        and (not match.namespaces or any(fnmatchcase(ref.namespace, pattern) for pattern in match.namespaces))
        and (not match.names or any(fnmatchcase(ref.name, pattern) for pattern in match.names))
        and all(labels.get(key) == value for key, value in match.labels)
    )


def takes_in(policy: Policy, ref: ObjectRef) -> bool:
    """True if an object that no source declares falls under the policy, as far as its kind and names tell."""
    return any(_matches(replace(match, sources=(), labels=()), ref, "", {}) for match in policy.match)


def strictest(policies: Iterable[Policy]) -> Policy | None:
    """The strictest of several policies: by action, then by name, so that the answer does not depend on their order."""
    return min(policies, key=lambda policy: (_STRICTNESS[policy.action], policy.name), default=None)


_STRICTNESS = {"Deny": 0, "Warn": 1, "Audit": 2}


def policies_for(
    policies: Iterable[Policy], ref: ObjectRef, source: str, labels: Mapping[str, str]
) -> tuple[Policy, ...]:
    """The policies of the highest priority that matches; the first of them, the strictest, is the one that counts."""
    matching = [one for one in policies if any(_matches(match, ref, source, labels) for match in one.match)]
    highest = max((one.priority for one in matching), default=0)
    equal = (one for one in matching if one.priority == highest)
    return tuple(sorted(equal, key=lambda policy: (_STRICTNESS[policy.action], policy.name)))


def policy_for(policies: Iterable[Policy], ref: ObjectRef, source: str, labels: Mapping[str, str]) -> Policy | None:
    """The first policy that matches, highest priority first; among equals the stricter one."""
    return next(iter(policies_for(policies, ref, source, labels)), None)
