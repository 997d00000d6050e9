"""Owns reading `spec.render` of a source document."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.render.spec import Capabilities, RenderSpec, parse_render


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


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"kind": "Jsonnet"}, "spec.render.kind"),
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
    assert RenderSpec(kube_version="1.30.0").on(cluster).kube_version == "1.30.0"
