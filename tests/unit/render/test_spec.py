"""Owns reading `spec.render` of a source document."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.render.spec import RenderSpec, parse_render


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
