"""Owns what changes objects on their way in: mutating webhooks and admission policies, and which kinds they match.

Must not judge whom to trust. Selectors and conditions are not evaluated: what may match counts as matching, and whether
anything was changed is seen in the answer to a dry-run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import list_live
from reconciler.errors import ClusterError
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

Kinds = Mapping[tuple[str, str, str], KindInfo]
GROUP: Final = "admissionregistration.k8s.io"
WEBHOOKS: Final = "MutatingWebhookConfiguration"
POLICY: Final = "MutatingAdmissionPolicy"
BINDING: Final = "MutatingAdmissionPolicyBinding"
MUTATING: Final = frozenset({WEBHOOKS, POLICY, BINDING})
_VERSIONS: Final = ("v1", "v1beta1", "v1alpha1")
_WRITES: Final = frozenset({"CREATE", "UPDATE", "*"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a webhook or policy; `exact`: requests in another version of the resource do not match."""

    groups: frozenset[str]
    versions: frozenset[str]
    resources: frozenset[str]
    scope: str = "*"
    exact: bool = False

    def matches(self, kind: KindInfo) -> bool:
        """Whether writes of whole objects of `kind` may be meant."""
        places = ("*", kind.resource, "*/*", f"{kind.resource}/*")
        return (
            not self.groups.isdisjoint(("*", kind.group))
            and not self.resources.isdisjoint(places)
            and (not self.exact or not self.versions.isdisjoint(("*", kind.version)))
            and self.scope in ("*", "Namespaced" if kind.namespaced else "Cluster")
        )


@dataclass(frozen=True, slots=True)
class Mutator:
    """A MutatingWebhookConfiguration, or a MutatingAdmissionPolicy that a binding makes active.

    `parts` are the live objects that it consists of; `digest` changes with what they say, renewed CA bundles excepted.
    """

    kind: str
    name: str
    rules: tuple[Rule, ...]
    digest: str
    parts: Mapping[ObjectRef, Tree] = field(compare=False)

    def matches(self, kind: KindInfo) -> bool:
        """Whether it may change objects of `kind`."""
        return any(rule.matches(kind) for rule in self.rules)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def read_mutators(client: ApiClient, kinds: Kinds) -> tuple[Mutator, ...]:
    """All that is active, by kind and name. Raises ClusterError where one of the lists cannot be read."""
    live = list_live(client, (kind for name in (WEBHOOKS, POLICY, BINDING) for kind in _served(kinds, name)))
    if live.unread:
        what, why = next(iter(live.unread.items()))
        raise ClusterError(f"mutating admission cannot be read: {why}", where=what)
    return mutators(live.objects)


def mutators(objects: Mapping[ObjectRef, Tree]) -> tuple[Mutator, ...]:
    """The active mutators among live configurations, policies and bindings."""
    found = [_webhooks(ref, tree) for ref, tree in objects.items() if ref.kind == WEBHOOKS]
    bindings = {ref: tree for ref, tree in objects.items() if ref.kind == BINDING}
    for ref, tree in objects.items():
        bound = {one: other for one, other in bindings.items() if _spec(other).get("policyName") == ref.name}
        if ref.kind == POLICY and bound:
            found.append(_policy(ref, tree, bound))
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def _served(kinds: Kinds, name: str) -> list[KindInfo]:
    """The kind in the best version that is served; none where the API server is older than the kind."""
    found = (kinds.get((GROUP, version, name)) for version in _VERSIONS)
    return [kind for kind in found if kind is not None][:1]


def _webhooks(ref: ObjectRef, tree: Tree) -> Mutator:
    hooks = [hook for hook in tree.get("webhooks") or () if isinstance(hook, dict)]
    rules = [rule for hook in hooks for rule in _rules(hook.get("rules"), hook)]
    return Mutator(ref.kind, ref.name, tuple(rules), _digest([_without_bundle(hook) for hook in hooks]), {ref: tree})


def _policy(ref: ObjectRef, tree: Tree, bound: Mapping[ObjectRef, Tree]) -> Mutator:
    spec = _spec(tree)
    constraints = spec.get("matchConstraints") or {}
    rules = tuple(_rules(constraints.get("resourceRules"), constraints))
    said = [spec, *(_spec(binding) for _, binding in sorted(bound.items()))]
    return Mutator(ref.kind, ref.name, rules, _digest(said), {ref: tree, **bound})


def _rules(rules: Iterable[Mapping[str, Any]] | None, around: Mapping[str, Any]) -> Iterator[Rule]:
    for rule in rules or ():
        if _WRITES.isdisjoint(rule.get("operations") or ()):
            continue
        groups, versions, resources = (
            frozenset(rule.get(key) or ()) for key in ("apiGroups", "apiVersions", "resources")
        )
        yield Rule(groups, versions, resources, rule.get("scope") or "*", around.get("matchPolicy") == "Exact")


def _without_bundle(hook: Mapping[str, Any]) -> dict[str, Any]:
    client = {key: value for key, value in (hook.get("clientConfig") or {}).items() if key != "caBundle"}
    return {**hook, "clientConfig": client}


def _spec(tree: Tree) -> Mapping[str, Any]:
    return tree.get("spec") or {}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
