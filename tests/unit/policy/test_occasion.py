"""Owns policies that are there on an occasion, what of undeclared objects they concern, and delegations by name."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.model.ref import ObjectRef
from reconciler.policy.closed import closed_paths
from reconciler.policy.exclusive import concerns, is_operators_own, occasional
from reconciler.policy.model import Rules
from reconciler.policy.occasion import settled
from reconciler.policy.parse import parse_rules
from tests.support.decisions import builtin_rules

LAYOUTS = ObjectRef("", "ConfigMap", "gpu-operator", "layouts")


def cluster_policy(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "one"}, "spec": spec}


def names(rules: Rules) -> set[str]:
    return {policy.name for policy in rules.policies}


def test_without_its_occasion_a_policy_is_not_there() -> None:
    rules = builtin_rules()
    assert names(rules) - names(settled(rules, [])) == {
        *("gpu-config-maps", "gpu-inventory", "gpu-operator-stack", "gpu-scheduling")
    }


def test_config_maps_are_those_that_a_cluster_policy_names() -> None:
    declared = [cluster_policy(migManager={"config": {"name": "layouts"}}, devicePlugin={"config": {"name": "*"}})]
    rules = settled(builtin_rules(), declared)
    (policy,) = occasional(rules, "", "ConfigMap")
    assert concerns(policy, LAYOUTS, {})
    assert not concerns(policy, LAYOUTS._replace(name="notes"), {})
    assert not concerns(policy, LAYOUTS._replace(namespace="shop"), {})


@pytest.mark.parametrize("spec", [{}, {"migManager": []}, {"migManager": {"config": {"name": ""}}}])
def test_a_cluster_policy_that_names_none_concerns_none(spec: dict[str, Any]) -> None:
    rules = settled(builtin_rules(), [cluster_policy(**spec)])
    assert not list(occasional(rules, "", "ConfigMap"))
    assert list(occasional(rules, "nvidia.com", "GPUCluster"))


@pytest.mark.parametrize("tree", [[], None, "text", {"apiVersion": 1, "kind": []}, {"kind": "ClusterPolicy"}])
def test_what_is_no_object_is_no_occasion(tree: Any) -> None:
    assert "gpu-operator-stack" not in names(settled(builtin_rules(), [tree]))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [({"globalDefault": True}, True), ({"globalDefault": False}, False), ({}, False), ({"globalDefault": {}}, False)],
)
def test_of_priority_classes_the_default_of_the_cluster_is_concerned(tree: Any, expected: bool) -> None:
    policy = next(one for one in builtin_rules().policies if one.name == "gpu-priority-classes")
    assert concerns(policy, ObjectRef("scheduling.k8s.io", "PriorityClass", "", "any"), tree) is expected


@pytest.mark.parametrize(
    ("name", "own"),
    [("gpu.nvidia.com", True), ("compute-domain-daemon.nvidia.com", True), ("a100", False), ("nvidia.com", False)],
)
def test_classes_of_an_operator_are_known_by_name(name: str, own: bool) -> None:
    assert is_operators_own(builtin_rules(), ObjectRef("resource.k8s.io", "DeviceClass", "", name)) is own


def test_whole_definitions_stay_closed_and_config_maps_do_not() -> None:
    rules = builtin_rules()
    assert closed_paths(rules, "kueue.x-k8s.io", "ClusterQueue") == ("/spec",)
    assert closed_paths(rules, "", "ConfigMap") == ()


@pytest.mark.parametrize(
    ("spec", "says"),
    [({"namedBy": ["/spec/name"]}, "needs once"), ({"once": "a"}, "once"), ({"onlyWhere": {"x": ["1"]}}, "pointer")],
)
def test_a_wrong_occasion_is_named(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_rules([("f.yaml", {"kind": "DriftPolicy", "metadata": {"name": "p"}, "spec": spec})])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"effect": "latent"}, "trigger"),
        ({"trigger": "x"}, "trigger"),
        ({"mode": "x"}, "mode"),
        ({"more": 1}, "more"),
        ({"hits": ["templates"]}, "hits: 'templates' is none of running, pending"),
        ({"hits": ["running"], "effect": "none"}, "hits: only a live effect"),
    ],
)
def test_a_wrong_row_of_the_table_is_named(row: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_rules([("f.yaml", {"kind": "GpuClasses", "rules": [{"id": "a", **row}]})])
