"""What the rules about MIG and sharing say, and how much it weighs: an error refuses a revision, a warning does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import RenderError
from reconciler.gpu.checker import problems
from reconciler.gpu.mig import layouts, selection
from reconciler.gpu.problem import Problem
from reconciler.gpu.sharing import keys, replicas
from reconciler.gpu.world import World, by_kind
from reconciler.model.path import readable
from reconciler.model.tree import Tree
from reconciler.render.yaml_loader import load_documents
from setscrew.configuration import mig_table

CASES = Path(__file__).parents[2] / "cases" / "gpu" / "rules"
CHECKERS = [checker for module in (layouts, selection, keys, replicas) for checker in module.CHECKERS]
TABLE = mig_table()
WARNINGS = {
    *(
        "MIG-02.fail.fleet",
        "MIG-02.fail.no-model",
        "MIG-04.fail.unknown-gpu",
        "MIG-05.fail.all-of-it",
        "MIG-07.fail.unknown-id",
    ),
    *("MIG-08.fail", "MIG-08.fail.filters", "MIG-09.fail.no-policy", "MIG-09.fail.default", "MIG-10.fail"),
    *("MIG-10.fail.partly", "MIG-12.fail", "MIG-12.fail.layout-edited", "MIG-12.fail.single", "MIG-13.fail"),
    *("SHR-04.fail.single", "SHR-05.fail", "SHR-05.fail.devices", "SHR-05.fail.resources", "SHR-05.fail.unknown"),
    *("SHR-06.fail", "SHR-06.fail.sharing-ends", "SHR-07.fail", "SHR-07.fail.memory", "SHR-08.fail.no-policy"),
    *("SHR-10.fail", "SHR-10.fail.unnamed-version", "MIG-06.fail.live", "SHR-01.fail.live"),
}
"""All other cases that break a rule are errors."""


def parse(text: str) -> Tree:
    try:
        (document,) = load_documents(text.encode(), "document")
    except RenderError as error:
        raise ValueError(str(error)) from error
    return document.tree


def found(stem: str) -> list[Problem]:
    """What the rules say of a case, only what is of the rule that it is named for."""
    trees = [one.tree for one in load_documents((CASES / f"{stem}.yaml").read_bytes(), stem)]
    live = [item for tree in trees if tree["kind"] == "List" for item in tree["items"]]
    desired = by_kind(tree for tree in trees if tree["kind"] != "List")
    world = World(desired, parse, TABLE, by_kind(live), clustered=bool(live))
    return [one for one in problems(world, CHECKERS) if one.rule == stem[:6]]


@pytest.mark.parametrize("stem", sorted(file.stem for file in CASES.glob("[MS][IH][GR]-*.fail*.yaml")))
def test_a_broken_rule_weighs_what_it_should(stem: str) -> None:
    assert {one.severity for one in found(stem)} == {"warning" if stem in WARNINGS else "error"}


def test_a_layout_that_cannot_be_placed_is_told_with_layout_entry_model_slices_and_a_way_out() -> None:
    (one,) = found("MIG-04.fail")
    assert (readable(one.path), readable(one.embedded)) == ('data["config.yaml"]', "mig-configs.trap[0].mig-devices")
    assert one.message == (
        "layout trap, entry 0: 2 x 3g.20gb + 1 x 1g.5gb cannot be placed on A100-40GB: memory 9/8, compute 7/7 slices"
    )
    assert one.fix == "ask for no more than 2 x 3g.20gb, which fits"


def test_a_label_that_no_layout_has_is_told_with_those_that_there_are() -> None:
    (one,) = found("MIG-09.fail")
    assert readable(one.path) == 'metadata.labels["nvidia.com/mig.config"]'
    assert "layout smal, which ConfigMap gpu-operator/mig-layouts does not have" in one.message
    assert one.fix == "select one of halves, small"


def test_pods_that_lose_their_slices_are_named() -> None:
    (one,) = found("MIG-12.fail")
    assert "nvidia.com/mig-1g.10gb, held by 1 Pod (team-a/train-0)" in one.message


def test_a_resource_that_changes_its_name_is_told_with_who_asks_for_the_old_one() -> None:
    (one,) = found("SHR-06.fail")
    assert "nvidia.com/gpu becomes nvidia.com/gpu.shared: asked for by 1 Pod (team-a/train-0)" in one.message


def test_a_shipped_list_of_layouts_is_one_warning_whatever_gpus_the_fleet_has() -> None:
    profiles = [profile.name for model in TABLE.models for profile in model.profiles]
    configs = {f"all-{name}": [{"devices": "all", "mig-enabled": True, "mig-devices": {name: 1}}] for name in profiles}
    shipped = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "layouts", "namespace": "gpu-operator"}}
    shipped["data"] = {"config.yaml": "mig-configs"}
    labels = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-1", "labels": labels}}
    document = {"version": "v1", "mig-configs": configs}
    world = World(by_kind([shipped]), lambda _: document, TABLE, by_kind([node]))
    (one,) = problems(world, CHECKERS)
    assert (one.rule, one.severity) == ("MIG-02", "warning")
    assert "(H100-80GB)" in one.message
