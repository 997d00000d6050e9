"""Owns reading `spec.render` of a source document."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.render.edits import Edits
from reconciler.render.spec import Capabilities, Parameter, RenderSpec, parse_render


def test_nothing_said_means_detected() -> None:
    assert parse_render({}) == RenderSpec()


def test_every_field_arrives() -> None:
    document = {
        "kind": "Helm", "releaseName": "r", "namespace": "n", "valueFiles": ["v.yaml"], "values": {"a": 1},
        "kubeVersion": "1.35.0", "apiVersions": ["x/v1"], "includeCRDs": False, "recurse": True,
    }  # fmt: skip
    assert parse_render(document, source="s", revision="main@sha1:1") == RenderSpec(
        "Helm", "r", "n", ("v.yaml",), {"a": 1}, "1.35.0", ("x/v1",), include_crds=False, recurse=True,
        source="s", revision="main@sha1:1",
    )  # fmt: skip


def test_every_field_for_other_tools_arrives() -> None:
    document = {
        "tool": "ArgoCD", "releaseNamespace": "m", "ignoreMissingValueFiles": True, "skipSchemaValidation": True,
        "isUpgrade": True, "include": "*.yaml", "exclude": "a*", "values": "a: 1", "kustomize": {"namePrefix": "p-"},
        "parameters": [{"name": "a.b", "value": "1", "forceString": True}, {"name": "c"}],
        "fileParameters": [{"name": "d", "path": "../d.txt"}],
    }  # fmt: skip
    assert parse_render(document) == RenderSpec(
        tool="ArgoCD", release_namespace="m", ignore_missing_value_files=True, skip_schema_validation=True,
        is_upgrade=True, include="*.yaml", exclude="a*", values_text="a: 1", kustomize=Edits(name_prefix="p-"),
        parameters=(Parameter("a.b", "1", as_text=True), Parameter("c"), Parameter("d", "../d.txt", from_file=True)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"kind": "Jsonnet"}, "spec.render.kind"),
        ({"tool": "Fleet"}, "spec.render.tool"),
        ({"values": 1}, "spec.render.values"),
        ({"isUpgrade": "yes"}, "spec.render.isUpgrade"),
        ({"parameters": [{"name": "a=b"}]}, "spec.render.parameters.name"),
        ({"parameters": [{"name": "a", "value": 1}]}, "spec.render.parameters.value"),
        ({"parameters": [{"name": "a", "text": "1"}]}, "spec.render.parameters"),
        ({"fileParameters": [{"name": "a", "path": "/etc/passwd"}]}, "spec.render.fileParameters.path"),
        ({"kustomize": {"images": ["web"]}}, "spec.render.kustomize.images"),
        ({"values": []}, "spec.render.values"),
        ({"valueFiles": ["/etc/passwd"]}, "spec.render.valueFiles"),
        ({"valueFiles": ["https://example.com/v.yaml"]}, "spec.render.valueFiles"),
        ({"apiVersions": [1]}, "spec.render.apiVersions"),
        ({"postRenderer": "x"}, "spec.render"),
    ],
)
def test_a_wrong_field_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_render(document)
    assert caught.value.where == field


def test_a_cluster_adds_what_it_serves_and_a_source_may_name_another_version() -> None:
    cluster = Capabilities.of("v1.35.1", [("", "v1", "Pod"), ("apps", "v1", "Deployment"), ("", "v1", "Node")])
    assert cluster.api_versions == ("apps/v1", "apps/v1/Deployment", "v1", "v1/Node", "v1/Pod")
    found = RenderSpec(api_versions=("x/v1", "v1")).on(cluster)
    assert (found.kube_version, found.api_versions[:4]) == ("v1.35.1", ("x/v1", "v1", "apps/v1", "apps/v1/Deployment"))
    assert RenderSpec(api_versions=("x/v1",), tool="ArgoCD").on(cluster).api_versions == ("x/v1",)
    assert RenderSpec(kube_version="1.30.0").on(cluster).kube_version == "1.30.0"
