"""A finding about a GPU class says who uses it and when it acts; one about anything else does not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.gpu.users.model import Census, ClassName, Tenant, Users
from reconciler.loop.users import with_users
from reconciler.model.tree import ABSENT
from reconciler.report.drift import DriftChange, DriftItem, DriftState
from tests.support.decisions import builtin_rules, manifests, patched

CLASS, LAYOUT, NODE = (
    ClassName("DeviceClass", "gpu.example.com"),
    ClassName("MigLayout", "halves"),
    ClassName("Node", "gpu-2"),
)
USED = Users(running=7, namespaces=1, tenants=(Tenant("ml-platform", "team-vision", 7),), examples=("Pod ml/a",))
CENSUS = Census("2030-01-01T00:00:00Z", {CLASS: USED, LAYOUT: USED, NODE: USED})


def found(name: str, path: str, patch: Any, state: DriftState = "drifted", **sides: Any) -> DriftItem:
    """The finding of an object of the cases whose live state is other than Git's by `patch`."""
    want, live = (copy.deepcopy(one) for one in manifests(name))
    live = patched(live, patch)
    changes = (DriftChange(path, "replace"),) if state == "drifted" else ()
    metadata = live["metadata"]
    place = live["apiVersion"], live["kind"], metadata.get("namespace", ""), metadata["name"]
    item = DriftItem("1", "f", *place, state, changes=changes)
    sides = {"want": want, "live": live} | sides
    return with_users(item, sides["want"], sides["live"], builtin_rules(), CENSUS)


LOOSER = {"spec": {"selectors": [{"cel": {"expression": "true"}}]}}


@pytest.mark.parametrize(
    ("state", "sides"),
    [("drifted", {}), ("missing", {"live": ABSENT}), ("extra", {"want": ABSENT})],
)
def test_drift_of_a_class_names_its_users(state: DriftState, sides: dict[str, Any]) -> None:
    gpu = found("deviceclass", "/spec/selectors", LOOSER, state, **sides).gpu
    assert gpu["effect"] == "live"
    (used,) = (one for one in gpu["classes"] if one["family"] == "DeviceClass")
    assert (used["name"], used["running"]) == ("gpu.example.com", 7)
    assert used["tenants"] == [{"namespace": "ml-platform", "owner": "team-vision", "users": 7}]
    assert any("ml-platform" in line for line in gpu["lines"])


def test_an_edit_of_mig_layouts_is_latent_and_says_when_it_acts() -> None:
    text = manifests("layouts")[1]["data"]["config.yaml"].replace("3g.40gb: 2", "3g.40gb: 1")
    gpu = found("layouts", "/data/config.yaml", {"data": {"config.yaml": text}}).gpu
    assert gpu["effect"] == "latent"
    assert gpu["trigger"] == next(row.trigger for row in builtin_rules().gpu_classes if row.id == "mig-layouts")
    assert any(gpu["trigger"] in line for line in gpu["lines"])
    assert {one["name"] for one in gpu["classes"] if one["family"] == "MigLayout"} == {"halves"}


def test_drift_of_the_label_that_selects_a_layout_is_about_its_node() -> None:
    relabelled = {"metadata": {"labels": {"nvidia.com/mig.config": "halves"}}}
    gpu = found("gpunode", "/metadata/labels/nvidia.com~1mig.config", relabelled).gpu
    assert gpu["effect"] == "live"
    assert "Node" in {one["family"] for one in gpu["classes"]}


def test_labels_that_git_leaves_to_others_are_no_drift_of_a_node() -> None:
    labels = {"nvidia.com/gpu.deploy.dcgm": "false", "nvidia.com/device-plugin.config": "shared"}
    assert found("gpunode", "/metadata/labels/nvidia.com~1gpu.deploy.dcgm", {"metadata": {"labels": labels}}).gpu == {}


def test_a_label_of_a_class_defines_nothing() -> None:
    assert found("deviceclass", "/metadata/labels/team", {"metadata": {"labels": {"team": "x"}}}).gpu == {}


@pytest.mark.parametrize("name", ["config", "web", "secret"])
def test_what_is_no_gpu_class_has_no_users(name: str) -> None:
    item = found(name, "/data/x", {"data": {"x": "y"}})
    assert item.gpu == {}
    assert "gpu" not in item.as_json()


@pytest.mark.parametrize("state", ["in-sync", "unknown"])
def test_what_is_in_sync_or_not_known_says_nothing_of_users(state: DriftState) -> None:
    assert found("deviceclass", "", LOOSER, state).gpu == {}
