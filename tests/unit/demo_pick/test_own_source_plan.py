"""Holds what becomes of a person's source before anything is started: sorted out, copied with its bases, softened."""

from __future__ import annotations

from pathlib import Path

import yaml

from setscrew.demo.own_source_files import fill, sources
from setscrew.demo.own_source_plan import Plan, plan

WEBHOOKS = """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: strict}
webhooks:
- {name: a.example.com, failurePolicy: Fail}
- {name: b.example.com}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: mild}
webhooks: [{name: a.example.com, failurePolicy: Ignore}]
"""
CUSTOM = """\
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


def test_objects_whose_crd_the_source_lacks_are_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(CUSTOM)
    found = plan(tmp_path, "mine")
    assert found.objects == ()
    assert found.left_out == ("Widget.example.com one (all.yaml:1): the source brings no CRD for example.com/v1",)


def test_objects_whose_crd_the_source_brings_stand_in_the_release_namespace(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(f"{CUSTOM}---\n{DEFINITION}")
    found = plan(tmp_path, "mine")
    assert next(str(one.ref) for one in found.objects) == "Widget.example.com mine/one"
    assert found.custom_groups == ("example.com",)
    assert found.left_out == ()


def test_webhooks_that_would_block_every_write_are_softened_and_the_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(WEBHOOKS)
    found = plan(tmp_path, "mine")
    assert [one.ref.name for one in found.softened] == ["strict"]
    policies = [[webhook["failurePolicy"] for webhook in one.tree["webhooks"]] for one in found.objects]
    assert policies == [["Ignore", "Ignore"], ["Ignore"]]


def test_git_says_of_softened_webhooks_what_the_cluster_gets_in_a_source_that_comes_first(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "all.yaml").write_text(WEBHOOKS)
    found = plan(tmp_path / "own", "mine")
    fill(found, tmp_path / "work")
    overlay, own = sources(found).values()
    written = yaml.safe_load((tmp_path / "work" / overlay["path"] / "webhooks-0.yaml").read_text())
    assert written == found.softened[0].tree
    assert (tmp_path / "work" / own["path"] / "all.yaml").read_text() == WEBHOOKS


def test_a_kustomization_comes_with_the_bases_beside_it_at_the_same_relative_places(tmp_path: Path) -> None:
    for place, resource in (("base", "cm.yaml"), ("overlays/production", "../../base")):
        (tmp_path / "app" / place).mkdir(parents=True)
        (tmp_path / "app" / place / "kustomization.yaml").write_text(f"resources: [{resource}]\n")
    (tmp_path / "app" / "base" / "cm.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    (tmp_path / "app" / "unrelated.bin").write_bytes(b"\0")
    found = Plan((tmp_path / "app/overlays/production").resolve(), "kustomize", "", "mine", (), ())
    fill(found, tmp_path / "work")
    files = sorted(
        str(file.relative_to(tmp_path / "work")) for file in (tmp_path / "work").rglob("*") if file.is_file()
    )
    assert files == ["app/base/cm.yaml", "app/base/kustomization.yaml", "app/overlays/production/kustomization.yaml"]
    assert sources(found)["own"]["path"] == "app/overlays/production"


def test_value_files_from_anywhere_are_committed_beside_the_chart_and_named_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("{apiVersion: v2, name: web, version: 1.0.0}\n")
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    found = Plan(tmp_path / "chart", "helm", "web", "mine", (tmp_path / "mine.yaml",), ())
    fill(found, tmp_path / "work")
    own = sources(found)["own"]
    (named,) = own["render"]["valueFiles"]
    assert (tmp_path / "work" / own["path"] / named).resolve().read_text() == "a: 1\n"


def test_one_file_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "only.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    (tmp_path / "other.yaml").write_text("not: a manifest\n")
    found = plan(tmp_path / "only.yaml", "mine")
    fill(found, tmp_path / "work")
    place = tmp_path / "work" / sources(found)["own"]["path"]
    assert [file.name for file in place.iterdir()] == ["only.yaml"]


def test_a_chart_s_gitignore_does_not_keep_its_vendored_charts_out(tmp_path: Path) -> None:
    (tmp_path / "chart" / "charts").mkdir(parents=True)
    (tmp_path / "chart" / "charts" / "dependency-1.0.0.tgz").write_bytes(b"archive")
    (tmp_path / "chart" / ".gitignore").write_text("charts/*.tgz\n")
    fill(Plan(tmp_path / "chart", "helm", "web", "mine", (), ()), tmp_path / "work")
    assert [file.name for file in (tmp_path / "work").rglob("*") if file.is_file()] == ["dependency-1.0.0.tgz"]
