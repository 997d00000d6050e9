"""Owns what a tool changes in a kustomization: the same as `kustomize edit`, which tests/cases/render has recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import RenderError, UsageError
from reconciler.render.edits import Edits, Image, edited, parse_edits

RECORDED = yaml.safe_load((Path(__file__).parents[2] / "cases" / "render" / "kustomize-edits.yaml").read_text())
THERE = {"comp", "../part"}


def edit(case: dict[str, Any]) -> dict[str, Any]:
    tree = RECORDED["plain"] if case.get("plain") else RECORDED["kustomization"]
    edits = parse_edits(case["edits"], "edits")
    return edited(tree, edits, "kustomization.yaml", THERE.__contains__)


@pytest.mark.parametrize("case", [pytest.param(one, id=one["case"]) for one in RECORDED["cases"] if "changed" in one])
def test_an_edit_leaves_what_kustomize_leaves(case: dict[str, Any]) -> None:
    tree = RECORDED["plain"] if case.get("plain") else RECORDED["kustomization"]
    assert edit(case) == {**tree, **case["changed"]}


LABELS = [one for one in RECORDED["cases"] if "refused" in one and "components" not in one["edits"]]


@pytest.mark.parametrize("case", [pytest.param(one, id=one["case"]) for one in LABELS])
def test_what_kustomize_refuses_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match="already has the"):
        edit(case)


def test_the_tree_is_not_changed() -> None:
    before = repr(RECORDED["kustomization"])
    for case in RECORDED["cases"]:
        if "changed" in case:
            edit(case)
    assert repr(RECORDED["kustomization"]) == before


def test_patches_come_after_those_that_are_there() -> None:
    patch = {"patch": "[]", "target": {"kind": "Service"}}
    found = edited(RECORDED["kustomization"], Edits(patches=(patch,)), "k", THERE.__contains__)
    assert found["patches"] == [*RECORDED["kustomization"]["patches"], patch]


@pytest.mark.parametrize(("ignore", "components"), [(False, ["comp", "nowhere"]), (True, ["comp"])])
def test_a_missing_component_is_left_out_only_on_request(ignore: bool, components: list[str]) -> None:
    edits = Edits(components=("nowhere",), ignore_missing_components=ignore)
    assert edited(RECORDED["kustomization"], edits, "k", THERE.__contains__)["components"] == components


def test_images_may_be_mappings_as_with_flux() -> None:
    images = [{"name": "web", "newName": "other", "newTag": "1", "digest": "sha256:0"}]
    assert parse_edits({"images": images}, "edits").images == (Image("web", "other", "1", "sha256:0"),)


@pytest.mark.parametrize(
    ("mapping", "where"),
    [
        ({"namePrefix": 1}, "edits.namePrefix"),
        ({"images": ["web"]}, "edits.images"),
        ({"images": ["=x"]}, "edits.images"),
        ({"images": [{"newTag": "1"}]}, "edits.images.name"),
        ({"images": [{"name": "a", "tag": "1"}]}, "edits.images"),
        ({"replicas": [{"name": "web"}]}, "edits.replicas"),
        ({"replicas": [{"name": "web", "count": "many"}]}, "edits.replicas"),
        ({"patches": ["x"]}, "edits.patches"),
        ({"commonLabels": {"a": 1}}, "edits.commonLabels"),
        ({"commonLabels": {"a": "b"}, "labelIncludeTemplates": True}, "edits.labelIncludeTemplates"),
        ({"vars": []}, "edits"),
    ],
)
def test_a_wrong_field_is_named(mapping: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_edits(mapping, "edits")
    assert caught.value.where == where


@pytest.mark.parametrize("key", ["images", "replicas", "components", "patches", "commonLabels", "labels"])
def test_a_kustomization_of_the_wrong_shape_is_refused(key: str) -> None:
    edits = Edits(
        images=(Image("a", "b"),), replicas=(("a", 1),), components=("comp",), patches=({"patch": "[]"},),
        labels={"a": "b"}, labels_without_selector=key == "labels",
    )  # fmt: skip
    with pytest.raises(RenderError, match=f"^k: {key} is no"):
        edited({key: "text"}, edits, "k", THERE.__contains__)
