"""Owns what the offline form makes of declared content by its types alone: filled in, dropped, kept, refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.canonical.complete import Completed, complete
from reconciler.canonical.engine import canonicalize
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.schema.crd import crd_types
from reconciler.schema.fill import KIND, OPEN, Condition, Fill, Known
from reconciler.schema.types import TypeNode
from tests.support.decisions import builtin_rules, context

TEXT = TypeNode(scalar="string")


def struct(*fill: tuple[str, Fill], keeps: tuple[str, ...] | None = (), **more: Any) -> TypeNode:
    """A type whose rules stand for field names; `keeps` None is a custom resource."""
    rules: dict[str, tuple[Fill, ...]] = {}
    for name, rule in fill:
        rules[name] = (*rules.get(name, ()), rule)
    known = Known(fill=rules, keeps=None if keeps is None else frozenset(keeps), **more)
    return TypeNode(known=known)


def made(declared: Any, node: TypeNode, kind: str = "apps/Deployment") -> Completed:
    return complete(declared, node, kind)


def crd(properties: dict[str, Any], **more: Any) -> TypeNode:
    schema = {"type": "object", "properties": properties, **more}
    version = {"name": "v1", "schema": {"openAPIV3Schema": schema}}
    return crd_types({"spec": {"versions": [version]}}, "v1")


def listed(**more: Any) -> dict[str, Any]:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "mode": {"type": "string", "default": "Auto"}}}
    return {"type": "array", "items": item, **more}


KEYED = listed(**{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})


@pytest.mark.parametrize(
    ("when", "declared", "holds"),
    [
        ((), {}, True),
        ((Condition("a", declared=True),), {"a": 1}, True),
        ((Condition("a", declared=True),), {}, False),
        ((Condition("a", declared=False),), {}, True),
        ((Condition("a", declared=False),), {"a": 1}, False),
        ((Condition("a", among=("x", "y")),), {"a": "y"}, True),
        ((Condition("a", among=("x", "y")),), {"a": "z"}, False),
        ((Condition("a", among=(1,)),), {"a": True}, False),
        ((Condition("image", latest=True),), {"image": "shop/web"}, True),
        ((Condition("image", latest=True),), {"image": "shop/web:1"}, False),
        ((Condition("image", latest=False),), {"image": "shop:5000/web:1"}, True),
        ((Condition("image", latest=False),), {}, False),
        ((Condition(KIND, among=("apps/Deployment",)),), {}, True),
        ((Condition(KIND, among=("batch/Job",)),), {}, False),
        ((Condition("a", declared=True), Condition("b", declared=False)), {"a": 1}, True),
        ((Condition("a", declared=True), Condition("b", declared=False)), {"a": 1, "b": 1}, False),
    ],
)
def test_a_default_is_filled_in_where_its_conditions_hold(when: Any, declared: Any, holds: bool) -> None:
    done = made(declared, struct(("d", Fill("value", when=when))))
    assert done.tree == ({**declared, "d": "value"} if holds else declared)
    assert done.filled == ({"f:d": {}} if holds else {})


def test_of_several_rules_the_first_that_holds_fills_in() -> None:
    node = struct(("d", Fill(1, when=(Condition("a", declared=True),))), ("d", Fill(2)))
    assert made({"a": 0.5}, node).tree["d"] == 1
    assert made({}, node).tree["d"] == 2


def test_what_is_declared_takes_no_default() -> None:
    assert made({"d": "own"}, struct(("d", Fill("value")))) == Completed({"d": "own"}, {})


def test_rules_ask_what_is_declared_not_what_other_rules_fill_in() -> None:
    node = struct(("a", Fill(1)), ("b", Fill(2, when=(Condition("a", declared=True),))))
    assert made({}, node).tree == {"a": 1}


def test_a_sibling_is_copied_in_the_spelling_of_the_rule() -> None:
    node = struct(("d", Fill(copy="a")), ("e", Fill(copy="a", lower=True, suffix="-x")), ("f", Fill(copy="gone")))
    assert made({"a": "Web"}, node).tree == {"a": "Web", "d": "Web", "e": "web-x"}


def test_a_number_is_copied_as_it_is() -> None:
    assert made({"port": 80}, struct(("targetPort", Fill(copy="port")))).tree["targetPort"] == 80


def test_what_is_computed_is_left_out() -> None:
    assert made({}, struct(("d", Fill(computed=True)), computed=frozenset({"d"}))).tree == {}


def test_a_field_is_computed_in_some_kinds_only() -> None:
    known = Known(computed=frozenset({"a"}), computed_in={"b": frozenset({"batch/Job"})})
    assert [known.computes(name, "batch/Job") for name in ("a", "b", "c")] == [True, True, False]
    assert not known.computes("b", "apps/Deployment")


@pytest.mark.parametrize("zero", [0, 0.0, False, "", []])
def test_a_zero_that_is_not_stored_must_stay_absent(zero: Any) -> None:
    assert made({"a": zero}, struct()).tree == {"a": None}
    assert made({"a": zero}, struct(keeps=("a",))).tree == {"a": zero}


def test_an_empty_map_that_is_not_stored_declares_none_of_its_keys() -> None:
    assert made({"a": {}}, struct()).tree == {}


@pytest.mark.parametrize("zero", [0, False, "", [], {}])
def test_custom_resources_and_types_that_nobody_knows_keep_every_zero(zero: Any) -> None:
    assert made({"a": zero}, struct(keeps=None)).tree == {"a": zero}
    assert made({"a": zero}, TypeNode(known=OPEN)).tree == {"a": zero}
    assert made({"a": zero}, TypeNode()).tree == {"a": zero}


def test_an_empty_struct_says_that_it_is_there() -> None:
    node = replace(struct(), fields={"emptyDir": TypeNode(fields={"medium": TEXT})})
    assert made({"emptyDir": {}}, node).tree == {"emptyDir": {}}


def test_json_of_any_shape_is_stored_as_it_is() -> None:
    node = replace(struct(), fields={"default": TypeNode(scalar="raw")})
    assert made({"default": False}, node).tree == {"default": False}


def test_a_default_takes_the_place_of_a_zero_that_is_not_stored() -> None:
    done = made({"d": 0}, struct(("d", Fill(10))))
    assert (done.tree, done.filled) == ({"d": 10}, {"f:d": {}})


def test_null_is_not_declared_but_among_texts_it_is_an_empty_one() -> None:
    assert made({"a": None}, TypeNode()).tree == {}
    assert made({"a": None}, TypeNode(each=TEXT)).tree == {"a": ""}
    assert made({"a": None}, TypeNode(each=TypeNode(scalar="bytes"))).tree == {"a": ""}
    assert made({"l": [None]}, TypeNode()).tree == {"l": [None]}


def test_a_text_that_is_none_is_refused_by_the_server() -> None:
    done = made({"data": {"a": 1, "b": "x"}}, TypeNode(fields={"data": TypeNode(each=TEXT)}))
    assert done.invalid == ("data.a: not a string, the API server refuses it",)


def test_a_field_that_no_schema_knows_is_dropped_with_a_remark() -> None:
    done = made({"spec": {"a": 1, "typo": 2}}, crd({"spec": {"type": "object", "properties": {"a": {}}}}))
    assert done.tree == {"spec": {"a": 1}}
    assert done.dropped == {("spec", "typo"): 2}
    assert done.remarks == ("spec.typo: no such field, the API server drops it (rule unknown-field-dropped)",)


def test_a_null_that_no_schema_knows_is_nothing_to_speak_of() -> None:
    done = made({"spec": {"typo": None}}, crd({"spec": {"type": "object", "properties": {"a": {}}}}))
    assert (done.tree, done.remarks) == ({"spec": {}}, ())


def test_unknown_fields_stay_where_the_schema_says_so() -> None:
    keeps = {"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": True}
    assert made({"spec": {"more": 1}}, crd({"spec": keeps})).tree == {"spec": {"more": 1}}


def test_dropped_fields_in_lists_are_named_by_their_item() -> None:
    done = made({"items": [{"name": "a", "typo": 1}]}, crd({"items": KEYED}))
    assert list(done.dropped) == [("items", 'k:{"name":"a"}', "typo")]
    done = made({"items": [{"name": "a", "typo": 1}]}, crd({"items": listed()}))
    assert list(done.dropped) == [("items", "i:0", "typo")]


def test_structural_defaults_are_filled_in_inside_lists() -> None:
    done = made({"items": [{"name": "a"}, {"name": "b", "mode": "Off"}]}, crd({"items": listed()}))
    assert done.tree["items"] == [{"name": "a", "mode": "Auto"}, {"name": "b", "mode": "Off"}]
    assert done.filled == {"f:items": {"i:0": {"f:mode": {}}}}


def test_items_of_keyed_lists_are_filled_in_by_key() -> None:
    done = made({"items": [{"name": "b", "mode": "Off"}, {"name": "a"}]}, crd({"items": KEYED}))
    assert done.filled == {"f:items": {'k:{"name":"a"}': {"f:mode": {}}}}


def test_a_default_of_a_custom_resource_is_completed_itself() -> None:
    inner = {"type": "object", "default": {}, "properties": {"level": {"type": "integer", "default": 3}}}
    done = made({}, crd({"settings": inner}))
    assert (done.tree, done.filled) == ({"settings": {"level": 3}}, {"f:settings": {}})


def test_without_a_default_of_its_own_an_absent_map_gets_none_of_those_inside() -> None:
    inner = {"type": "object", "properties": {"level": {"type": "integer", "default": 3}}}
    assert made({}, crd({"settings": inner})).tree == {}
    assert made({"settings": {}}, crd({"settings": inner})).tree == {"settings": {"level": 3}}


def test_an_explicit_null_takes_the_default_unless_the_field_may_be_null() -> None:
    plain, nullable = {"type": "integer", "default": 5}, {"type": "integer", "default": 5, "nullable": True}
    assert made({"a": None}, crd({"a": plain})).tree == {"a": 5}
    assert made({"a": None}, crd({"a": nullable})).tree == {}
    assert made({}, crd({"a": nullable})).tree == {"a": 5}


def test_a_falsy_default_is_a_default() -> None:
    assert made({}, crd({"a": {"type": "boolean", "default": False}})).tree == {"a": False}


def test_what_is_declared_is_not_changed_in_place() -> None:
    declared = {"items": [{"name": "a"}], "typo": 1, "zero": 0}
    made(declared, replace(crd({"items": listed()}), closed=True))
    assert declared == {"items": [{"name": "a"}], "typo": 1, "zero": 0}


def test_what_a_secret_holds_under_a_wrong_name_is_kept_nowhere() -> None:
    tree = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringdata": {"password": "in clear"}}
    form = canonicalize(RenderedObject(tree, Provenance()), context(builtin_rules()))
    assert form.dropped == {}
    assert "in clear" not in repr(form)
