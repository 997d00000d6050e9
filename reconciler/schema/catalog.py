"""Owns the look-up of kinds and types from several authorities: the cluster, CRDs at hand, the packaged table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from reconciler.policy.model import Rules
from reconciler.schema.crd import crd_kinds, crd_types
from reconciler.schema.openapi import UNTYPED, apply_list_rules
from reconciler.schema.semantics import Semantics, semantics_of
from reconciler.schema.types import TypeNode

Gvk = tuple[str, str, str]
# Kinds that have left the group `extensions`.
_MOVED = {
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "PodSecurityPolicy"): "policy",
    **{("extensions", kind): "apps" for kind in ("DaemonSet", "Deployment", "ReplicaSet")},
}
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


class Authority(Protocol):
    """Who knows kinds: a cluster's discovery, or the packaged table."""

    def kinds(self) -> Mapping[Gvk, KindInfo]:
        """All kinds that this authority knows."""

    def kind(self, group: str, version: str, kind: str) -> KindInfo | None:
        """The kind, or None where this authority does not know it."""

    def types(self, group: str, version: str, kind: str) -> TypeNode:
        """The type of a kind it knows; untyped where it has no schema."""


@dataclass(slots=True)
class Catalog:
    """Asks CRDs of the desired set first, then each authority in turn; list rules are laid over every type."""

    authorities: tuple[Authority, ...]
    rules: Rules
    crds: Iterable[Tree] = ()
    _declared: dict[Gvk, tuple[KindInfo, Tree]] = field(default_factory=dict, repr=False)
    _types: dict[Gvk, TypeNode] = field(default_factory=dict, repr=False)
    _semantics: dict[Gvk, Semantics] = field(default_factory=dict, repr=False)
    _versions: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, repr=False)
    _served_as: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for crd in self.crds:
            for kind in crd_kinds(crd):
                self._declared[kind.group, kind.version, kind.kind] = (kind, crd)

    def kind(self, group: str, version: str, kind: str) -> KindInfo | None:
        """The kind by the first authority that knows it."""
        declared = self._declared.get((group, version, kind))
        if declared is not None:
            return declared[0]
        found = (authority.kind(group, version, kind) for authority in self.authorities)
        return next((info for info in found if info is not None), None)

    def types(self, group: str, version: str, kind: str) -> TypeNode:
        """The type tree, with the meaning that policies/lists.yaml gives to lists. Kept: many objects share a kind."""
        key = (group, version, kind)
        if key not in self._types:
            name = f"{group}/{kind}" if group else kind
            self._types[key] = apply_list_rules(self._plain(key), self.rules.lists, name)
        return self._types[key]

    def semantics(self, group: str, version: str, kind: str) -> Semantics:
        """What policies/ say of values of the kind. Kept, with what it has found."""
        key = (group, version, kind)
        if key not in self._semantics:
            custom = self.types(*key).custom
            self._semantics[key] = semantics_of(self.rules, group, kind, custom=custom)
        return self._semantics[key]

    def served_as(self, group: str, kind: str) -> tuple[str, ...]:
        """The versions in which a kind is known, for one that is not known as it is written: `networking.k8s.io/v1`.

        Kept: a chart may have thousands of objects of a kind that nobody knows.
        """
        home = (_MOVED.get((group, kind), group), kind)
        if home not in self._served_as:
            known = {gvk for authority in self.authorities for gvk in authority.kinds()} | self._declared.keys()
            self._served_as[home] = tuple(sorted(f"{one[0]}/{one[1]}" for one in known if (one[0], one[2]) == home))
        return self._served_as[home]

    def versions(self, group: str, kind: str) -> frozenset[str]:
        """The versions in which whoever knows the kind at all, asked in their order, has it: `v1`, `v1beta2`. Kept."""
        key = (group, kind)
        if key not in self._versions:
            known = (self._declared, *(authority.kinds() for authority in self.authorities))
            found = (frozenset(gvk[1] for gvk in some if (gvk[0], gvk[2]) == key) for some in known)
            self._versions[key] = next(filter(None, found), frozenset())
        return self._versions[key]

    def _plain(self, key: Gvk) -> TypeNode:
        declared = self._declared.get(key)
        if declared is not None:
            return crd_types(declared[1], key[1])
        for authority in self.authorities:
            if authority.kind(*key) is not None:
                return authority.types(*key)
        return UNTYPED
