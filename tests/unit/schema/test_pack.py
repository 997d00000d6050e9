"""Holds how types travel: whole with the package, and with a snapshot as far as the webhook asks; cycles included."""

from __future__ import annotations

import json
from typing import Any

from reconciler.schema.fill import CUSTOM, OPEN, Known
from reconciler.schema.pack import dump, load, pack, unpack
from reconciler.schema.types import PLAIN, TypeNode

KEYED = TypeNode(list_type="map", keys=("name",), defaults={"protocol": "TCP"}, ordered=True)


def travelled(node: TypeNode) -> TypeNode:
    """The type as the webhook reads it from a snapshot."""
    return load(json.loads(json.dumps(dump(node))))


def cyclic(**below: TypeNode) -> TypeNode:
    """A type that contains itself as `self`, and `below`."""
    fields: dict[str, TypeNode] = dict(below)
    node = TypeNode(fields=fields)
    fields["self"] = node
    return node


def test_what_a_comparison_asks_travels_with_a_snapshot() -> None:
    node = TypeNode(fields={"ports": KEYED, "cpu": TypeNode(scalar="quantity")}, custom=True)
    assert travelled(node) == node


def test_what_only_the_offline_form_asks_stays_at_home() -> None:
    node = TypeNode(
        fields={"a": TypeNode(scalar="string"), "b": TypeNode(closed=True)}, closed=True, known=CUSTOM, definition="x"
    )
    assert travelled(node) == PLAIN


def test_every_field_of_the_packaged_types_stays_with_what_is_known_of_it() -> None:
    known = Known(keeps=frozenset({"a"}))
    node = TypeNode(fields={"a": TypeNode(scalar="string")}, closed=True, definition="x.Spec", known=known)
    packed = json.loads(json.dumps(pack({"Foo": node}, full=True)))
    assert unpack(packed, {"x.Spec": known}) == {"Foo": node}
    assert unpack(packed, {})["Foo"].known is OPEN
    assert unpack(packed)["Foo"].known is None


def test_a_definition_is_packed_once_wherever_it_stands() -> None:
    one, twin = (TypeNode(fields={"a": KEYED}, definition="x.Spec") for _ in range(2))
    packed = pack({"Foo": TypeNode(fields={"one": one}), "Bar": TypeNode(fields={"two": twin})}, full=True)
    assert sum(node.get("n") == "x.Spec" for node in packed["nodes"]) == 1


def test_a_type_that_contains_itself_comes_back_as_one_that_does() -> None:
    node = travelled(cyclic(ports=KEYED))
    assert node.at("self") is node
    assert node.at("self").at("self").at("ports") == KEYED


def test_a_cycle_that_says_nothing_does_not_travel() -> None:
    assert dump(TypeNode(fields={"a": cyclic(), "ports": KEYED}))["nodes"][0]["f"].keys() == {"ports"}
    assert travelled(cyclic()) == PLAIN


def test_a_cycle_through_items_of_lists_comes_back() -> None:
    fields: dict[str, TypeNode] = {"port": TypeNode(scalar="int-or-string")}
    node = TypeNode(fields=fields)
    fields["children"] = TypeNode(each=node)
    back = travelled(node)
    assert back.at("children").item is back
    assert back.at("port").scalar == "int-or-string"


def test_a_cycle_is_heard_through_another_that_contains_it() -> None:
    """Two types that contain each other, of which only the far one says something, must both travel."""
    near: dict[str, TypeNode] = {}
    far: dict[str, TypeNode] = {"ports": KEYED}
    one, other = TypeNode(fields=near), TypeNode(fields=far)
    near["other"], far["one"] = other, one
    back = travelled(one)
    assert back.at("other").at("one") is back
    assert back.at("other").at("ports") == KEYED


def test_a_packed_type_is_the_same_text_whatever_the_order_of_its_fields() -> None:
    fields: dict[str, Any] = {"b": KEYED, "a": TypeNode(scalar="quantity")}
    assert json.dumps(dump(TypeNode(fields=fields))) == json.dumps(
        dump(TypeNode(fields=dict(reversed(fields.items()))))
    )
