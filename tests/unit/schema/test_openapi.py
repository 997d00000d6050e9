"""Holds how OpenAPI schemas become types: list keys, scalars, shared and recursive definitions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.policy.model import ListRule
from reconciler.schema.openapi import SchemaReader, apply_list_rules, kind_schemas
from reconciler.schema.pack import dump, load
from reconciler.schema.types import PLAIN, TypeNode

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
QUANTITY_PATTERN = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?([0-9]+)))?$"


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


PORT = {
    "type": "object",
    "required": ["port"],
    "properties": {
        "port": {"type": "integer", "default": 0},
        "protocol": {"type": "string", "default": "TCP"},
        "targetPort": ref("io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
    },
}
PORTS = {
    "type": "array",
    "items": {"default": {}, "allOf": [ref("Port")]},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["port", "protocol"],
}


@pytest.mark.parametrize(
    ("schema", "scalar"),
    [
        (ref(QUANTITY), "quantity"),
        ({"default": {}, "allOf": [ref(QUANTITY)]}, "quantity"),
        (ref("io.k8s.apimachinery.pkg.util.intstr.IntOrString"), "int-or-string"),
        (ref("io.k8s.apimachinery.pkg.apis.meta.v1.Duration"), "duration"),
        ({"type": "string", "format": "byte"}, "bytes"),
        ({"type": "string", "format": "duration"}, "duration"),
        ({"x-kubernetes-int-or-string": True}, "int-or-string"),
        ({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN}, "quantity"),
        ({"x-kubernetes-int-or-string": True, "pattern": "^[0-9]+%$"}, "int-or-string"),
    ],
)
def test_a_scalar_with_a_meaning_is_typed(schema: dict[str, Any], scalar: str) -> None:
    assert SchemaReader().node(schema) == TypeNode(scalar=scalar)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "integer", "format": "int64"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
        {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ref("missing"),
    ],
)
def test_what_says_nothing_is_pruned(schema: dict[str, Any]) -> None:
    assert SchemaReader().node(schema) is PLAIN


def test_a_keyed_list_has_its_keys_and_only_the_defaults_that_a_server_fills_in() -> None:
    node = SchemaReader({"Port": PORT}).node(PORTS)
    assert (node.list_type, node.keys) == ("map", ("port", "protocol"))
    # `port` is required: its default of 0 is Go's zero value, which no server fills in.
    assert node.defaults == {"protocol": "TCP"}
    assert node.item.at("targetPort").scalar == "int-or-string"


def test_a_set_is_a_set_also_of_plain_items() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    assert SchemaReader().node(schema) == TypeNode(list_type="set")


def test_values_of_a_free_map_and_items_of_a_list_stand_in_each() -> None:
    free = SchemaReader().node({"type": "object", "additionalProperties": ref(QUANTITY)})
    items = SchemaReader().node({"type": "array", "items": {"type": "object", "additionalProperties": ref(QUANTITY)}})
    assert free.at("anything").scalar == "quantity"
    assert items.item.at("anything").scalar == "quantity"


def test_below_a_place_that_keeps_unknown_fields_declared_fields_are_still_typed() -> None:
    schema = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"limit": ref(QUANTITY)},
    }
    node = SchemaReader().node(schema)
    assert node.at("limit").scalar == "quantity"
    assert node.at("unknown") is PLAIN


def test_an_embedded_object_has_typed_metadata() -> None:
    schema = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "properties": {"metadata": {"type": "object"}, "spec": {"type": "object"}},
    }
    node = SchemaReader(custom=True).node(schema)
    assert node.at("metadata").at("finalizers").list_type == "set"
    assert {"apiVersion", "kind"} <= set(node.fields)


def test_a_definition_used_twice_is_one_node() -> None:
    reader = SchemaReader({"Port": PORT})
    both = reader.node({"type": "object", "properties": {"a": ref("Port"), "b": ref("Port")}})
    assert both.at("a") is both.at("b")


def test_a_recursive_definition_contains_itself() -> None:
    tree = {"type": "object", "properties": {"limit": ref(QUANTITY), "left": ref("Tree")}}
    node = SchemaReader({"Tree": tree}).node(ref("Tree"))
    assert node.at("left").at("left").at("limit").scalar == "quantity"
    assert node.at("left") is node


def test_a_definition_that_is_nothing_but_itself_is_plain() -> None:
    schemas = {"A": {"allOf": [ref("B")]}, "B": {"allOf": [ref("A")]}}
    assert SchemaReader(schemas).node(ref("A")) is PLAIN


def test_a_longer_cycle_gives_the_same_types_whatever_was_asked_first() -> None:
    schemas = {
        "A": {"type": "object", "properties": {"limit": ref(QUANTITY), "b": ref("B")}},
        "B": {"type": "object", "properties": {"limit": ref(QUANTITY), "a": ref("A")}},
    }
    first_a, first_b = SchemaReader(schemas), SchemaReader(schemas)
    for reader, order in ((first_a, "AB"), (first_b, "BA")):
        nodes = {name: reader.node(ref(name)) for name in order}
        assert nodes["A"].at("b") is nodes["B"]
        assert nodes["B"].at("a") is nodes["A"]
        assert nodes["B"].at("a").at("limit").scalar == "quantity"


def test_a_whole_object_has_typed_metadata_and_no_status() -> None:
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}, "status": PORTS, "spec": PORTS}}
    node = SchemaReader({"Port": PORT}).root(schema)
    assert set(node.fields) == {"apiVersion", "kind", "metadata", "spec"}
    assert node.at("metadata").at("finalizers").list_type == "set"


def test_types_survive_the_way_through_json() -> None:
    node = SchemaReader({"Port": PORT}).root({"type": "object", "properties": {"spec": PORTS}})
    ports = load(json.loads(json.dumps(dump(node)))).at("spec")
    assert (ports.keys, ports.defaults) == (("port", "protocol"), {"protocol": "TCP"})
    assert ports.item.at("targetPort").scalar == "int-or-string"


def test_a_type_that_contains_itself_survives_the_way_through_json() -> None:
    tree = {"type": "object", "properties": {"limit": ref(QUANTITY), "left": ref("Tree")}}
    node = load(json.loads(json.dumps(dump(SchemaReader({"Tree": tree}).node(ref("Tree"))))))
    assert node.at("left").at("left").at("limit").scalar == "quantity"


def test_what_travels_is_only_what_a_comparison_asks() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"properties": {"c": {}}}, "spec": PORTS}}
    fields = load(dump(SchemaReader({"Port": PORT}).node(schema))).fields
    assert set(fields) == {"spec"}


def test_only_definitions_of_one_kind_are_objects() -> None:
    gvk = {"group": "apps", "version": "v1", "kind": "Deployment"}
    options = {"group": "apps", "version": "v1", "kind": "DeleteOptions"}
    schemas = {
        "Deployment": {"x-kubernetes-group-version-kind": [gvk]},
        "DeleteOptions": {"x-kubernetes-group-version-kind": [options, {**options, "group": "batch"}]},
        "Spec": {"type": "object"},
    }
    assert kind_schemas(schemas) == {("apps", "v1", "Deployment"): "Deployment"}


def test_a_list_rule_makes_a_keyed_list_ordered_and_keeps_its_keys() -> None:
    env = TypeNode(list_type="map", keys=("name",))
    node = TypeNode(
        fields={"containers": TypeNode(list_type="map", keys=("name",), each=TypeNode(fields={"env": env}))}
    )
    rule = ListRule(("Pod",), "/containers/*/env", "ordered")
    ruled = apply_list_rules(node, [rule], "Pod").at("containers").item.at("env")
    assert (ruled.ordered, ruled.list_type, ruled.keys) == (True, "map", ("name",))


def test_a_list_rule_reaches_places_that_no_schema_types() -> None:
    rules = [ListRule(("x.io/Foo",), "/spec/*/hosts", "set"), ListRule(("x.io/Foo",), "/spec/a~1b", "map", ("id",))]
    node = apply_list_rules(PLAIN, rules, "x.io/Foo")
    assert node.at("spec").at("any").at("hosts").list_type == "set"
    assert node.at("spec").at("a/b").keys == ("id",)


@pytest.mark.parametrize("kinds", [("Foo",), ("y.io/Foo",), ("x.io/Bar",), ()])
def test_a_list_rule_for_another_kind_changes_nothing(kinds: tuple[str, ...]) -> None:
    assert apply_list_rules(PLAIN, [ListRule(kinds, "/spec/hosts", "set")], "x.io/Foo") is PLAIN
