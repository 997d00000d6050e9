"""Owns what of the guarded kinds counts as unmanaged: there, declared by no source, and nobody's by design. Pure.

What controllers derive, what the API server makes of itself and what the guard consists of is nobody's to declare: it
would drown what somebody has made by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.model.own import NAMESPACE, REGISTRATION, SNAPSHOTS_NAMESPACE
from reconciler.model.ref import ObjectRef

_SYSTEM: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", NAMESPACE, SNAPSHOTS_NAMESPACE})
# What the API server and its controllers make by name, in each namespace or once.
_MADE: Final = frozenset(
    {
        ("", "ConfigMap", "kube-root-ca.crt"),
        ("", "ServiceAccount", "default"),
        ("", "Service", "kubernetes"),
        ("", "Endpoints", "kubernetes"),
        ("", "Namespace", "default"),
        ("discovery.k8s.io", "EndpointSlice", "kubernetes"),
    }
)
_NAMES: Final = ("system:*", "system-*-critical", f"{REGISTRATION}-*")
# Of labels and annotations: what the API server keeps up to date by itself, and the records that Helm keeps.
_KEYS: Final = {"kubernetes.io/bootstrapping": "", "apf.kubernetes.io/autoupdate-spec": "true", "owner": "helm"}
_RELEASE: Final = "sh.helm.release.v1.*"


@dataclass(frozen=True, slots=True)
class Place:
    """Of the guarded kinds in one namespace ("": in none): how many objects Git declares, and others by kind."""

    managed: int = 0
    unmanaged: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """How many are unmanaged."""
        return sum(self.unmanaged.values())


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """What was counted, by namespace; when (RFC 3339, "": never); why some kinds were not (`apps/Deployment`)."""

    at: str = ""
    places: Mapping[str, Place] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """How many are unmanaged in all."""
        return sum(place.number for place in self.places.values())

    @property
    def managed(self) -> int:
        """How many Git declares in all."""
        return sum(place.managed for place in self.places.values())


def is_nobodys(ref: ObjectRef, metadata: Mapping[str, Any]) -> bool:
    """True for what Git need not declare: it is not counted."""
    if ref.namespace in _SYSTEM or (ref.kind == "Namespace" and ref.name in _SYSTEM) or metadata.get("ownerReferences"):
        return True
    if (ref.group, ref.kind, ref.name) in _MADE or ref.name == REGISTRATION:
        return True
    if any(fnmatchcase(ref.name, pattern) for pattern in _NAMES) and not ref.namespace:
        return True
    return _is_kept(ref, {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})})


def _is_kept(ref: ObjectRef, said: Mapping[str, Any]) -> bool:
    if "owner" in said and not fnmatchcase(ref.name, _RELEASE):
        said = {key: value for key, value in said.items() if key != "owner"}
    return any(key in said and value in ("", said[key]) for key, value in _KEYS.items())
