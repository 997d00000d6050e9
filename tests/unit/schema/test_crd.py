"""Holds what a CustomResourceDefinition says of its kinds, and that a hostile one only says less."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.ref import KindInfo
from reconciler.schema.crd import crd_kinds, crd_types
from reconciler.schema.fill import CUSTOM, OPEN, Fill, Known

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


def defaults_of(properties: dict[str, Any]) -> Known | None:
    spec = {"type": "object", "properties": properties}
    return (
        crd_types(crd(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}), "v1")
        .at("spec")
        .known
    )


def test_defaults_stand_in_the_schema() -> None:
    known = defaults_of({"a": {"default": 1}, "b": {"default": False}, "c": {"type": "string"}})
    assert known == Known(fill={"a": (Fill(1),), "b": (Fill(False),)})


def test_a_default_of_null_is_none() -> None:
    assert defaults_of({"a": {"default": None}}) is None


def test_fields_that_may_be_null_are_known() -> None:
    known = defaults_of({"a": {"type": "integer", "nullable": True, "default": 5}})
    assert known == Known(fill={"a": (Fill(5),)}, nullable=frozenset({"a"}))


def test_custom_resources_keep_every_zero_and_their_values_as_they_are_written() -> None:
    node = crd_types(crd(schema={"openAPIV3Schema": SCHEMA}), "v1")
    assert node.custom
    assert node.known == CUSTOM
    assert node.known.keeps is None


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        ({"type": "object", "properties": {"a": {}}}, True),
        ({"type": "object"}, True),
        ({"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": True}, False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, False),
    ],
)
def test_a_structural_schema_says_whether_unknown_fields_are_dropped(schema: Any, closed: bool) -> None:
    node = crd_types(crd(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}}), "v1")
    assert node.at("spec").closed is closed


def test_without_a_schema_nobody_knows_what_is_dropped_or_filled_in() -> None:
    node = crd_types(crd(), "v1")
    assert node.custom
    assert node.known is OPEN
    assert not node.closed
