"""Owns the ValidatingWebhookConfiguration as a value: from guarded kinds and policies to the document. Pure.

One entry per group and version (and failure policy), the version in its path: with `matchPolicy: Equivalent` the API
server converts a request to the version that the entry names, and the entry judges what Git declares in that version.
Entries of one kind never overlap. CONNECT is in no rule: exec, attach and proxy do not change configuration. Every
field is written out with the API server's default, so that a document read back equals the one sent. The guard's own
kinds are always in it: rules for a group that is not served harm nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from reconciler.limits import WEBHOOK_TIMEOUT_SECONDS
from reconciler.model.ref import KindInfo
from reconciler.policy.model import FailurePolicy, Policy
from webhook.registration.client import Client
from webhook.registration.conditions import METADATA_CHANGED, PEOPLE, not_canonicalizer
from webhook.registration.kinds import CONFIGURING, DERIVED, OWN, always_ignores, built_in, never_registered

NAME: Final = "setscrew"
SUFFIX: Final = "guard.setscrew.dev"
SYSTEM_NAMESPACES: Final = ("kube-node-lease", "kube-public", "kube-system")
_WRITES: Final = ("CREATE", "UPDATE", "DELETE")

_NAMESPACES: Final = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
_DEFINITIONS: Final = KindInfo(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_SERVICES: Final = KindInfo("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)

Guarded = tuple[KindInfo, Policy]


class _Entry(NamedTuple):
    """What tells one entry from another; sorts as the document is sorted."""

    group: str
    version: str
    part: str
    failure: FailurePolicy


class _Rule(NamedTuple):
    """Resources of one entry that share operations and scope."""

    scope: str
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Context:
    client: Client
    ca_bundle: bytes
    canonicalizer_user: str
    quiet_namespaces: tuple[str, ...]


_Plan = dict[_Entry, dict[_Rule, set[str]]]


def build(
    guarded: Iterable[Guarded],
    client: Client,
    ca_bundle: bytes,
    canonicalizer_user: str,
    *,
    resources_present: Mapping[str, Collection[str]] | None = None,
    own_namespace: str = "",
) -> dict[str, Any]:
    """The document for `guarded` pairs (repeats are fine, order does not matter).

    `ca_bundle` is PEM. `resources_present` maps an apiVersion to what discovery lists there (`deployments/scale`), and
    adds to the subresources that each KindInfo names. Pods of `own_namespace` are left alone like those of the system.
    """
    guarded = tuple(guarded)
    kinds = _failure_by_kind(guarded)
    plan: _Plan = defaultdict(lambda: defaultdict(set))
    for kind, failure in kinds.items():
        _plan_kind(plan, kind, failure, _subresources(kind, resources_present or {}))
    _plan_containers(plan, kinds)
    _plan_derived(plan, guarded, kinds)
    quiet = tuple(sorted({*SYSTEM_NAMESPACES, own_namespace} - {""}))
    context = _Context(client, ca_bundle, canonicalizer_user, quiet)
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}},
        "webhooks": [_webhook(entry, plan[entry], context) for entry in sorted(plan)],
    }


def _failure_by_kind(guarded: Iterable[Guarded]) -> dict[KindInfo, FailurePolicy]:
    """A rule cannot tell objects apart, so the strictest policy of a kind holds for all; our own are always there."""
    kinds: dict[KindInfo, FailurePolicy] = {}
    for kind, policy in guarded:
        if not never_registered(kind):
            strict = policy.failure_policy == "Fail" and not always_ignores(kind)
            kinds[kind] = "Fail" if strict or kinds.get(kind) == "Fail" else "Ignore"
    declared = {(kind.group, kind.resource) for kind in kinds}
    return kinds | {kind: "Fail" for kind in OWN if (kind.group, kind.resource) not in declared}


def _subresources(kind: KindInfo, present: Mapping[str, Collection[str]]) -> set[str]:
    prefix = f"{kind.resource}/"
    listed = {name.removeprefix(prefix) for name in present.get(kind.api_version, ()) if name.startswith(prefix)}
    return listed | set(kind.subresources)


def _plan_kind(plan: _Plan, kind: KindInfo, failure: FailurePolicy, subresources: set[str]) -> None:
    scope = "Namespaced" if kind.namespaced else "Cluster"
    part = "pods" if (kind.group, kind.resource) == ("", "pods") else ""
    whole = plan[_Entry(kind.group, kind.version, part, failure)]
    whole[_Rule(scope, _WRITES)].add(kind.resource)
    also = {"scale", *CONFIGURING.get((kind.group, kind.resource), ())}
    for name in subresources & also:
        whole[_Rule(scope, ("UPDATE",))].add(f"{kind.resource}/{name}")
    if "status" in subresources and built_in(kind):
        status = plan[_Entry(kind.group, kind.version, f"{part}-status".strip("-"), failure)]
        status[_Rule(scope, ("UPDATE",))].add(f"{kind.resource}/status")


def _plan_containers(plan: _Plan, kinds: Mapping[KindInfo, FailurePolicy]) -> None:
    """What takes guarded objects with it when it is deleted (or, a definition, changed), guarded itself or not."""
    held_by = {
        _NAMESPACES: [failure for kind, failure in kinds.items() if kind.namespaced],
        _DEFINITIONS: [failure for kind, failure in kinds.items() if not built_in(kind)],
        _SERVICES: [failure for kind, failure in kinds.items() if not built_in(kind)],
    }
    registered = {(kind.group, kind.resource) for kind in kinds}
    for container, failures in held_by.items():
        if failures and (container.group, container.resource) not in registered:
            failure: FailurePolicy = "Fail" if "Fail" in failures else "Ignore"
            entry = plan[_Entry(container.group, container.version, "", failure)]
            entry[_Rule("Cluster", ("DELETE",))].add(container.resource)
    for changed in (_DEFINITIONS, _SERVICES):
        if (changed.group, changed.resource) not in registered:
            # A network plugin brings its definitions up to date before any Pod starts, the guard's own among them.
            soft = plan[_Entry(changed.group, changed.version, "", "Ignore")]
            soft[_Rule("Cluster", ("UPDATE",))].add(changed.resource)


def _plan_derived(plan: _Plan, guarded: Iterable[Guarded], kinds: Mapping[KindInfo, FailurePolicy]) -> None:
    """Where a policy asks who writes to what controllers derive from its objects."""
    asked = {(kind.group, kind.resource) for kind, policy in guarded if policy.descendants == "Audit"}
    registered = {(kind.group, kind.resource) for kind in kinds}
    for kind in {one for place in asked for one in DERIVED.get(place, ())}:
        if (kind.group, kind.resource) not in registered:
            entry = plan[_Entry(kind.group, kind.version, f"{kind.resource}-derived", "Ignore")]
            entry[_Rule("Namespaced", _WRITES)].add(kind.resource)
            for name in kind.subresources:
                entry[_Rule("Namespaced", ("UPDATE",))].add(f"{kind.resource}/{name}")


def _webhook(entry: _Entry, rules: Mapping[_Rule, set[str]], context: _Context) -> dict[str, Any]:
    group = entry.group or "core"
    words = [group, entry.version, entry.part, "fail" if entry.failure == "Fail" else ""]
    conditions = [not_canonicalizer(context.canonicalizer_user)]
    if entry.part.endswith("status"):
        conditions.append(METADATA_CHANGED)
    if entry.part.endswith("derived"):
        conditions.append(PEOPLE)
    return {
        "name": f"{'-'.join(word for word in words if word)}.{SUFFIX}",
        "clientConfig": context.client.config(f"/validate/{group}/{entry.version}", context.ca_bundle),
        "rules": [_rule(entry, rule, rules[rule]) for rule in sorted(rules)],
        "failurePolicy": entry.failure,
        "matchPolicy": "Equivalent",
        "namespaceSelector": _outside(context.quiet_namespaces) if entry.part.startswith("pods") else {},
        "objectSelector": {},
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": WEBHOOK_TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
        "matchConditions": conditions,
    }


def _rule(entry: _Entry, rule: _Rule, resources: set[str]) -> dict[str, Any]:
    return {
        "apiGroups": [entry.group],
        "apiVersions": [entry.version],
        "operations": list(rule.operations),
        "resources": sorted(resources),
        "scope": rule.scope,
    }


def _outside(namespaces: tuple[str, ...]) -> dict[str, Any]:
    values = list(namespaces)
    return {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": values}]}
