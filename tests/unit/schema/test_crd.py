"""Holds what a CustomResourceDefinition says of its kinds, and that a hostile one only says less."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.ref import KindInfo
from reconciler.schema.crd import crd_kinds, crd_types

SCALE = {"specReplicasPath": ".spec.count.replicas", "statusReplicasPath": ".status.replicas"}
SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"limit": {"type": "string", "format": "duration"}}}},
}


def crd(**version: Any) -> dict[str, Any]:
    return {
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"kind": "Foo", "plural": "foos"},
            "versions": [{"name": "v1", "served": True, **version}, {"name": "v0", "served": False}],
        }
    }


def test_each_served_version_is_a_kind() -> None:
    assert crd_kinds(crd()) == (KindInfo("x.io", "v1", "Foo", "foos", namespaced=True),)


def test_a_scale_subresource_tells_where_the_replicas_stand() -> None:
    (kind,) = crd_kinds(crd(subresources={"status": {}, "scale": SCALE}))
    assert kind.subresources == ("scale", "status")
    assert kind.replicas_path == "/spec/count/replicas"


def test_the_schema_of_the_version_gives_the_types() -> None:
    node = crd_types(crd(schema={"openAPIV3Schema": SCHEMA}), "v1")
    assert node.at("spec").at("limit").scalar == "duration"
    assert node.at("metadata").at("ownerReferences").keys == ("uid",)


@pytest.mark.parametrize("version", ["v0", "v9"])
def test_a_version_that_is_not_served_has_typed_metadata_only(version: str) -> None:
    assert set(crd_types(crd(schema={"openAPIV3Schema": SCHEMA}), version).fields) == {"metadata"}


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"spec": []},
        {"spec": {"names": "Foo"}},
        {"spec": {"group": "x.io", "names": {"kind": "Foo", "plural": "foos"}, "versions": "v1"}},
        {"spec": {"group": "x.io", "names": {"kind": "Foo", "plural": "foos"}, "versions": ["v1", {}]}},
    ],
)
def test_a_malformed_crd_has_no_kinds(broken: Any) -> None:
    assert crd_kinds(broken) == ()


@pytest.mark.parametrize("schema", [None, [], {"openAPIV3Schema": "no"}])
def test_a_malformed_schema_types_metadata_only(schema: Any) -> None:
    assert set(crd_types(crd(schema=schema), "v1").fields) == {"metadata"}
