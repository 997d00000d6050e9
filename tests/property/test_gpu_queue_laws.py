"""Law: whatever stands in a queue, quota or workload, and in all that is live, the rules about them end in findings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gpu.checker import Checker, problems
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.queues import fractions, kai, kueue_capacity, kueue_groups, kueue_references, quotas, volcano
from reconciler.gpu.world import World, by_kind

pytestmark = pytest.mark.property

CHECKERS: tuple[Checker, ...] = tuple(
    checker
    for module in (fractions, kai, kueue_capacity, kueue_groups, kueue_references, quotas, volcano)
    for checker in module.CHECKERS
)
NAMES = ["a", "b", "c", "root", ""]
KINDS = sorted({kind for checker in CHECKERS for kind in checker.kinds} | {("", "Node")})
# Every word that a rule looks for, so that strange values stand where something is read.
_TEXT = """
spec status metadata resources gpu cpu memory quota limit overQuotaWeight allocated allocatedNonPreemptible
parentQueue parent parentName cohort cohortName guarantee resource deserved capability resourceGroups flavors
coveredResources name nominalQuota borrowingLimit lendingLimit nodeLabels topologyName admissionChecks onFlavors
admissionChecksStrategy controllerName hard containers template annotations labels limits schedulerName
gpu-fraction gpu-memory gpu-fraction-num-devices mps kai.scheduler/queue nvidia.com/gpu limits.nvidia.com/gpu
requests.nvidia.com/gpu a.deviceclass.resource.k8s.io/devices nvidia.com/gpu.product allocatable capacity
"""
WORDS = _TEXT.split()
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.builds(pow, st.just(10), st.just(5_000)),
    st.floats(),
    st.sampled_from([*NAMES, *WORDS, "1", "-1", "0.5", "64Gi", "9e999", "1e-999", "500m", "2/0", "-SHARED"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WORDS, 1, None]), inner, max_size=4),
    max_leaves=25,
)


def _like(names: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Specs of nearly the right shape: what is wrong with them lies deep."""
    numbers = st.dictionaries(st.sampled_from(["quota", "limit", "cpu", "memory", "nvidia.com/gpu"]), LEAVES)
    resource = st.fixed_dictionaries({"name": names, "nominalQuota": LEAVES}, optional={"borrowingLimit": LEAVES})
    listed = st.lists(resource | LEAVES, max_size=2)
    group = st.fixed_dictionaries(
        {
            "coveredResources": st.lists(names, max_size=2),
            "flavors": st.lists(st.fixed_dictionaries({"name": names, "resources": listed}), max_size=2),
        }
    )
    return st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("parentQueue", "parent", "parentName", "cohortName", "cohort", "topologyName"), names),
            "resources": st.dictionaries(st.sampled_from(["gpu", "cpu", "memory"]), numbers | LEAVES),
            "guarantee": st.fixed_dictionaries({"resource": numbers}),
            **dict.fromkeys(("deserved", "capability", "nodeLabels", "hard"), numbers),
            "resourceGroups": st.lists(group | TREES, max_size=3),
        },
    )


def _object(kind: tuple[str, str], name: str, spec: Any, status: Any, metadata: Any) -> dict[str, Any]:
    named = {"name": name, "labels": metadata, "annotations": metadata}
    api_version = f"{kind[0]}/v1" if kind[0] else "v1"
    return {"apiVersion": api_version, "kind": kind[1], "metadata": named, "spec": spec, "status": status}


NAME = st.sampled_from(NAMES)
OBJECTS = st.lists(
    st.builds(_object, st.sampled_from(KINDS), NAME, _like(NAME | LEAVES) | TREES, TREES, TREES), max_size=8
)


@given(OBJECTS, OBJECTS, st.booleans())
def test_nothing_that_can_be_written_harms_the_rules(desired: list[Any], live: list[Any], clustered: bool) -> None:
    world = World(by_kind(desired), str, MigTable(), by_kind(live), clustered)
    for problem in problems(world, CHECKERS):
        assert problem.severity in {"error", "warning"}
        assert "\n" not in problem.message + problem.fix


@pytest.mark.parametrize("wrap", [lambda tree: {"spec": tree}, lambda tree: [tree]], ids=["mappings", "lists"])
def test_depth_is_no_harm(wrap: Any) -> None:
    tree: Any = "a"
    for _ in range(50_000):
        tree = wrap(tree)
    deep = [_object(kind, "a", tree, tree, tree) for kind in KINDS]
    world = World(by_kind(deep), str, MigTable(), by_kind(deep), clustered=True)
    assert {problem.rule for problem in problems(world, CHECKERS)} <= {"Q-01"}
