"""Owns which counts an autoscaler of Git allows: its kind is a row of a table, its bounds are its own."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.canonical.autoscale import ranges, widen
from reconciler.canonical.engine import canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import ScalerRule, Subject
from tests.support.decisions import builtin_rules, context

SCALERS = builtin_rules().scalers
WEB = ObjectRef("apps", "Deployment", "shop", "web")
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def form(group: str, kind: str, spec: Any, **metadata: Any) -> CanonicalObject:
    want = {"metadata": {"name": metadata.get("name", "s"), **metadata}, "spec": spec}
    ref = ObjectRef(group, kind, "shop", want["metadata"]["name"])
    return CanonicalObject(ref, KindInfo(group, "v1", kind, kind.lower(), True), want, {}, Provenance())


def hpa(**spec: Any) -> CanonicalObject:
    return form("autoscaling", "HorizontalPodAutoscaler", {"scaleTargetRef": TARGET, **spec})


def keda(*, annotations: Any = None, target: Any = None, **spec: Any) -> CanonicalObject:
    spec = {"scaleTargetRef": target or {"name": "web"}, **spec}
    return form("keda.sh", "ScaledObject", spec, **({"annotations": annotations} if annotations else {}))


@pytest.mark.parametrize(
    ("scaler", "bounds"),
    [
        (hpa(minReplicas=2, maxReplicas=5), (2, 5)),
        (hpa(maxReplicas=5), (1, 5)),
        (hpa(minReplicas=0, maxReplicas=5), (0, 5)),
        (hpa(minReplicas=2), None),
        (hpa(minReplicas=2, maxReplicas="many"), None),
        (hpa(minReplicas=True, maxReplicas=5), None),
        (keda(), (0, 100)),
        (keda(minReplicaCount=2, maxReplicaCount=8), (2, 8)),
        (keda(minReplicaCount=2, maxReplicaCount=8, idleReplicaCount=0), (0, 8)),
        (keda(minReplicaCount=2, idleReplicaCount="x"), None),
        (keda(annotations={"autoscaling.keda.sh/paused-replicas": "3"}), (3, 3)),
        (keda(annotations={"autoscaling.keda.sh/paused-replicas": "x"}), (0, 100)),
        (keda(annotations={"autoscaling.keda.sh/paused": "true"}, maxReplicaCount=8), (0, 8)),
        (keda(target={"name": ""}), None),
        (keda(target={"name": ["web"]}), None),
        (keda(target={}), (0, 100)),
    ],
)
def test_the_bounds_are_those_that_the_scaler_has(scaler: CanonicalObject, bounds: tuple[int, int] | None) -> None:
    found = ranges([scaler], SCALERS).get(WEB)
    assert (found and found[:2]) == bounds


def test_a_scaler_of_another_kind_may_scale_any_kind() -> None:
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}
    found = ranges([keda(target=rollout)], SCALERS)
    assert list(found) == [ObjectRef("argoproj.io", "Rollout", "shop", "web")]


def test_a_range_names_its_rule_and_who_may_scale() -> None:
    tree = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    web = canonicalize(RenderedObject({**tree, "spec": {"replicas": 2}}, Provenance()), context(builtin_rules()))
    wide = widen([web, keda()], SCALERS)[0].ranges[0]
    assert (wide.path, wide.rule) == (("spec", "replicas"), "scaler-range")
    assert Subject(service_account="keda/keda-operator") in wide.to


def test_two_scalers_of_different_kinds_for_one_target_widen_nothing() -> None:
    assert ranges([hpa(maxReplicas=5), keda()], SCALERS) == {}


def test_a_table_of_ones_own_reads_other_kinds() -> None:
    rule = ScalerRule("mine", ("x.io/Scaler",), "why", "/spec/of", "/spec/min", "/spec/max", "apps/v1/Deployment", 1, 9)
    assert ranges([form("x.io", "Scaler", {"of": {"name": "web"}})], [rule])[WEB][:2] == (1, 9)
    assert ranges([form("x.io", "Scaler", {"of": {"name": "web"}})], SCALERS) == {}
