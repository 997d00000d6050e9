"""A write of one object is judged by what it newly breaks: the same rules, with less around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.operator_maps import CONFIG_MAP
from reconciler.gpu.single import beside, named_by, new_errors
from reconciler.gpu.users.census import census
from reconciler.gpu.world import by_kind
from reconciler.model.ref import ObjectRef
from setscrew.configuration import mig_table
from tests.support.gpu_cases import CASES, world
from tests.support.gpu_cases import found as problems_of

LAYOUTS = ObjectRef("", "ConfigMap", "gpu-operator", "layouts")
PLACED = {"3g.40gb": 2}
MISPLACED = {"3g.40gb": 2, "1g.10gb": 1}


def layouts(*devices: dict[str, int]) -> dict[str, Any]:
    """A ConfigMap of one layout for an A100 of 80 GB each."""
    entry = {"device-filter": "0x20B210DE", "devices": "all", "mig-enabled": True}
    configs = {f"layout-{index}": [{**entry, "mig-devices": one}] for index, one in enumerate(devices)}
    text = yaml.safe_dump({"version": "v1", "mig-configs": configs})
    metadata = {"name": LAYOUTS.name, "namespace": LAYOUTS.namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.yaml": text}}


def found(was: Any, now: Any, table: MigTable | None = None) -> list[str]:
    errors = new_errors(LAYOUTS, was, now, {}, yaml.safe_load, mig_table() if table is None else table)
    return [f"{one.rule} {one.embedded[1]}" for one in errors]


@pytest.mark.parametrize(
    ("was", "now", "rules"),
    [
        (None, layouts(MISPLACED), ["MIG-04 layout-0"]),
        (layouts(PLACED), layouts(MISPLACED), ["MIG-04 layout-0"]),
        (layouts(MISPLACED), layouts(MISPLACED, PLACED), []),
        (layouts(PLACED, MISPLACED), layouts(MISPLACED), []),
        (layouts(MISPLACED), layouts(MISPLACED, MISPLACED), ["MIG-04 layout-1"]),
        (layouts(MISPLACED), layouts(PLACED), []),
    ],
    ids=["new", "changed", "another one is added", "moves up", "a second one", "mended"],
)
def test_only_what_was_not_wrong_before_counts(was: Any, now: Any, rules: list[str]) -> None:
    assert found(was, now) == rules


def test_without_the_table_of_profiles_no_layout_is_wrong() -> None:
    assert found(None, layouts(MISPLACED), MigTable()) == []


def test_what_a_rule_says_of_several_queues_is_said_of_the_one_that_is_written() -> None:
    queue = {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue"}
    parent = {**queue, "metadata": {"name": "a"}, "spec": {"capability": {"nvidia.com/gpu": 8}}}
    sibling = {**queue, "metadata": {"name": "b"}, "spec": {"parent": "a", "guarantee": {"resource": {"cpu": 1}}}}
    child = {**queue, "metadata": {"name": "c"}, "spec": {"parent": "a", "capability": {"nvidia.com/gpu": 9}}}
    ref = ObjectRef("scheduling.volcano.sh", "Queue", "", "c")
    errors = new_errors(ref, None, child, by_kind([parent, sibling]), yaml.safe_load, MigTable())
    assert {(one.rule, one.ref) for one in errors} == {("Q-08", ref)}


def test_what_is_nowhere_to_be_seen_is_no_error_of_a_single_write() -> None:
    queue = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": "a"}}
    spec = {"parentQueue": "elsewhere", "resources": {}}
    ref = ObjectRef("scheduling.run.ai", "Queue", "", "a")
    assert new_errors(ref, None, {**queue, "spec": spec}, {}, yaml.safe_load, MigTable()) == ()


def test_of_the_kinds_around_only_few_are_looked_at() -> None:
    assert beside(("resource.k8s.io", "ResourceClaim")) == (("resource.k8s.io", "DeviceClass"), ("", "Node"))
    assert ("", "Node") in beside(("", "ConfigMap"))
    assert ("nvidia.com", "ClusterPolicy") in beside(("", "Node"))
    assert {group for group, _ in beside(("kueue.x-k8s.io", "ClusterQueue"))} == {"kueue.x-k8s.io"}
    assert beside(("", "ResourceQuota")) == ()


def test_of_config_maps_those_count_that_the_operator_reads() -> None:
    spec = {"migManager": {"config": {"name": "layouts"}}, "devicePlugin": {"config": {"name": "shares"}}}
    policy = {"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"}, "spec": spec}
    assert named_by(LAYOUTS, layouts(), by_kind([policy])) == {"layouts", "shares"}
    assert named_by(ObjectRef("nvidia.com", "ClusterPolicy", "", "p"), policy, {}) == {"layouts", "shares"}


def singly(file: Path) -> set[str]:
    """The rules that the objects of a case file break, each written alone among the others."""
    held = world(file)
    rules = set[str]()
    for kind, objects in held.desired.items():
        kinds = (*beside(kind), CONFIG_MAP)
        gone = set().union(*held.retired.values())
        both = {one: {**held.live.get(one, {}), **held.desired.get(one, {})} for one in kinds}
        others = {one: {ref: tree for ref, tree in some.items() if ref not in gone} for one, some in both.items()}
        for ref, tree in objects.items():
            rules |= {one.rule for one in new_errors(ref, held.live_twin(ref), tree, others, held.parse, held.mig)}
    return rules


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in sorted(CASES.glob("*.yaml"))])
def test_no_rule_refuses_a_write_that_it_lets_into_a_revision(file: Path) -> None:
    assert singly(file) <= {one.rule for one in problems_of(file) if one.severity == "error"}


def test_the_rules_of_revisions_are_those_of_writes() -> None:
    """But for those about what is nowhere, what goes, namespaces, workloads, and what the API server itself refuses."""
    errors = {one.rule for file in CASES.glob("*.fail*.yaml") for one in problems_of(file) if one.severity == "error"}
    elsewhere = {"DRA-06", "DRA-07", "DRA-08", "Q-11"}
    assert errors - set().union(*map(singly, CASES.glob("*.fail*.yaml"))) == elsewhere


def test_a_fleet_is_told_by_one_stand_in_for_each_model() -> None:
    def node(name: str, product: str) -> dict[str, Any]:
        metadata = {"name": name, "labels": {"nvidia.com/gpu.product": product, "other": name}}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}

    models = ["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB", "NVIDIA-H100-80GB-HBM3", ""]
    objects = by_kind([node(f"gpu-{index}", model) for index, model in enumerate(models)])
    told = census(objects, {}, "now", yaml.safe_load).neighbours
    assert [one["metadata"]["labels"] for one in told] == [{"nvidia.com/gpu.product": one} for one in models[1:3]]
    assert not {one["metadata"]["name"] for one in told} & {ref.name for ref in objects[("", "Node")]}
