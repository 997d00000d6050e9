"""Owns the widening of declared replicas by autoscalers that Git declares too. Must not look into a cluster.

An autoscaler found only in the cluster widens nothing: whoever could create one could scale what Git declares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from reconciler.canonical.form import CanonicalObject, Range
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.policy.model import Subject

RULE: Final = "hpa-range"
_HPA: Final = ("autoscaling", "HorizontalPodAutoscaler")
_IDENTITY: Final = (Subject(service_account="kube-system/horizontal-pod-autoscaler"),)


def ranges(objects: Iterable[CanonicalObject]) -> dict[ObjectRef, tuple[int, int]]:
    """Targets of declared autoscalers with [minReplicas, maxReplicas]; two for one target widen nothing."""
    found: dict[ObjectRef, tuple[int, int]] = {}
    twice: set[ObjectRef] = set()
    for one in objects:
        target = _target(one) if (one.ref.group, one.ref.kind) == _HPA else None
        if target is not None:
            twice |= {target[0]} & found.keys()
            found[target[0]] = target[1]
    return {ref: bounds for ref, bounds in found.items() if ref not in twice}


def widen(objects: Iterable[CanonicalObject]) -> tuple[CanonicalObject, ...]:
    """The same objects, with a range where Git declares both replicas and one autoscaler for them."""
    objects = tuple(objects)
    bounds = ranges(objects)
    return tuple(_widened(one, *bounds[one.ref]) if one.ref in bounds else one for one in objects)


def _widened(one: CanonicalObject, low: int, high: int) -> CanonicalObject:
    path = tuple((one.kind.replicas_path or "/spec/replicas").strip("/").split("/"))
    if dig(one.want, *path) is ABSENT:
        return one
    return replace(one, ranges=(Range(path, low, high, RULE, _IDENTITY),))


def _target(hpa: CanonicalObject) -> tuple[ObjectRef, tuple[int, int]] | None:
    spec = dig(hpa.want, "spec")
    kind, name, version = (dig(spec, "scaleTargetRef", key) for key in ("kind", "name", "apiVersion"))
    low, high = dig(spec, "minReplicas"), dig(spec, "maxReplicas")
    low = 1 if low is ABSENT else low
    if not (isinstance(kind, str) and isinstance(name, str) and _whole(low) and _whole(high)):
        return None
    group, _ = split_api_version(version) if isinstance(version, str) else ("", "")
    return ObjectRef(group, kind, hpa.ref.namespace, name), (low, high)


def _whole(value: Tree) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
