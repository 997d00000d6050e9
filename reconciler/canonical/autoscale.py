"""Owns the widening of declared replicas by autoscalers that Git declares too. Must not look into a cluster.

An autoscaler found only in the cluster widens nothing: whoever could create one could scale what Git declares. Which
kinds scale others, and how they say so, is a table (policies/scalers.yaml).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.canonical.form import CanonicalObject, Range
from reconciler.model.path import split_pattern
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.policy.model import ScalerRule
from reconciler.policy.select import any_kind

Bounds = tuple[int, int, ScalerRule]


def ranges(objects: Iterable[CanonicalObject], scalers: Iterable[ScalerRule]) -> dict[ObjectRef, Bounds]:
    """Targets of declared autoscalers with the counts that they may set; two for one target widen nothing."""
    scalers = tuple(scalers)
    found: dict[ObjectRef, Bounds] = {}
    twice: set[ObjectRef] = set()
    for one in objects:
        rule = next((rule for rule in scalers if any_kind(rule.kinds, one.ref.group, one.ref.kind)), None)
        target, bounds = (None, None) if rule is None else (_target(one, rule), _bounds(one.want, rule))
        if rule is not None and target is not None and bounds is not None:
            twice |= {target} & found.keys()
            found[target] = (*bounds, rule)
    return {ref: bounds for ref, bounds in found.items() if ref not in twice}


def widen(objects: Iterable[CanonicalObject], scalers: Iterable[ScalerRule]) -> tuple[CanonicalObject, ...]:
    """The same objects, with a range where Git declares both replicas and one autoscaler for them."""
    objects = tuple(objects)
    bounds = ranges(objects, scalers)
    return tuple(_widened(one, *bounds[one.ref]) if one.ref in bounds else one for one in objects)


def _widened(one: CanonicalObject, low: int, high: int, rule: ScalerRule) -> CanonicalObject:
    path = split_pattern(one.kind.replicas_path or "/spec/replicas")
    if dig(one.want, *path) is ABSENT:
        return one
    return replace(one, ranges=(Range(path, low, high, rule.id, rule.to),))


def _target(scaler: CanonicalObject, rule: ScalerRule) -> ObjectRef | None:
    target = _at(scaler.want, rule.target)
    version, _, kind = rule.target_kind.rpartition("/")
    api_version, kind, name = (
        child(target, key) if child(target, key) not in (ABSENT, "") else default
        for key, default in (("apiVersion", version), ("kind", kind), ("name", ""))
    )
    if not all(isinstance(text, str) for text in (api_version, kind, name)) or not kind or not name:
        return None
    return ObjectRef(split_api_version(api_version)[0], kind, scaler.ref.namespace, name)


def _bounds(want: Tree, rule: ScalerRule) -> tuple[int, int] | None:
    """The lowest and the highest count; None where one is not to be known. An idle count counts with the others."""
    low, high = _count(want, rule.low, rule.low_default), _count(want, rule.high, rule.high_default)
    pinned, idle = _count(want, rule.pinned, -1), _count(want, rule.idle, -1)
    if pinned is not None and pinned >= 0:
        return pinned, pinned
    if low is None or high is None or idle is None or min(low, high) < 0:
        return None
    return (low if idle < 0 else min(low, idle)), high


def _count(want: Tree, pointer: str, default: int) -> int | None:
    """A count, also as the text of an annotation; None where what stands there is none."""
    value = _at(want, pointer) if pointer else ABSENT
    if value is ABSENT or value is None:
        return default
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _at(tree: Tree, pointer: str) -> Tree:
    return dig(tree, *split_pattern(pointer))
