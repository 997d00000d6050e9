"""Owns what the walk finds at single places: nulls in want, empties, lists, masks about values, doubt, lost fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.canonical.form import CanonicalObject, Mask
from reconciler.compare.comparison import Comparison, compare, findings
from reconciler.compare.place import UNKNOWN
from reconciler.model.objects import Provenance
from reconciler.model.path import Path
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import SemanticRule
from reconciler.schema.fill import CUSTOM, OPEN, Known
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import TypeNode

TAGS = TypeNode(fields={"tags": TypeNode(list_type="set")})
RULES = TypeNode(fields={"rules": TypeNode(list_type="unordered")})
ENV = TypeNode(fields={"env": TypeNode(list_type="map", keys=("name",), ordered=True)})
CONTROLLER = {"manager": "operator", "operation": "Update", "fieldsV1": {"f:spec": {".": {}, "f:b": {}}}}


def form(spec: Any, node: TypeNode | None = None, **more: Any) -> CanonicalObject:
    """The confirmed form of a custom resource with this spec."""
    node = node or TypeNode()
    types = TypeNode(fields={"spec": replace(node, known=node.known or CUSTOM)}, custom=True, known=CUSTOM)
    named = {"apiVersion": "x.io/v1", "kind": "Foo", "metadata": {"name": "one"}}
    settled: dict[str, Any] = {"confidence": "server", "types": types, **more}
    return CanonicalObject(
        ObjectRef("x.io", "Foo", "", "one"),
        KindInfo("x.io", "v1", "Foo", "foos", namespaced=False),
        {**named, "spec": spec},
        settled.pop("filled", {}),
        Provenance(),
        **settled,
    )


def offline(spec: Any, known: Known = CUSTOM, **more: Any) -> CanonicalObject:
    return form(spec, TypeNode(known=known), confidence="offline", **more)


def compared(want: CanonicalObject, spec: Any, managed_fields: Any = None) -> Comparison:
    return compare(want, {"spec": spec}, managed_fields)


def seen(found: Comparison) -> list[tuple[str, str]]:
    return [(change.path, change.klass) for change in found.changes]


def written(want: CanonicalObject, was: Any, now: Any) -> list[tuple[Path, str]]:
    """What a request is judged by."""
    return [(one.path[1:], one.verdict) for one in findings(want, {"spec": was}, {"spec": now})]


class TestNullsInWant:
    """Git declares an empty value that the server does not store: the field must stay absent."""

    @pytest.mark.parametrize("live", [{}, {"a": None}, {"a": 0}, {"a": False}, {"a": ""}, {"a": []}, {"a": {}}])
    @pytest.mark.parametrize("make", [form, offline])
    def test_absent_null_and_zero_are_what_is_wanted(self, make: Any, live: Any) -> None:
        assert compared(make({"a": None}), live) == Comparison(())

    @pytest.mark.parametrize("live", [1, True, "x", [0], {"b": 1}])
    @pytest.mark.parametrize("make", [form, offline])
    def test_anything_else_is_a_change_of_what_is_declared(self, make: Any, live: Any) -> None:
        (change,) = compared(make({"a": None}), {"a": live}).changes
        assert (change.path, change.klass, change.desired, change.live) == ("/spec/a", "changed", None, live)

    def test_a_request_may_not_set_it_and_may_take_it_away(self) -> None:
        assert written(form({"a": None}), {}, {"a": True}) == [(("a",), "changed")]
        assert written(form({"a": None}), {"a": True}, {}) == []


class TestEmpties:
    """An empty map or list is nothing, but where a rule says that it means something."""

    MEANS = Semantics((SemanticRule("r", ("*",), ("**/selector",), "why", "meaningful-empty"),))

    @pytest.mark.parametrize("empty", [{}, []])
    def test_empty_and_absent_are_the_same(self, empty: Any) -> None:
        assert seen(compared(form({"a": empty, "b": 1}), {"b": 1})) == []
        assert seen(compared(form({"b": 1}), {"a": empty, "b": 1})) == []

    @pytest.mark.parametrize("empty", [{}, []])
    def test_where_empty_means_something_it_is_missed_and_reported(self, empty: Any) -> None:
        there, gone = form({"selector": empty}, semantics=self.MEANS), form({"b": 1}, semantics=self.MEANS)
        assert seen(compared(there, {})) == [("/spec/selector", "missing")]
        assert seen(compared(gone, {"selector": empty, "b": 1})) == [("/spec/selector", "extra")]

    def test_a_map_of_nothing_but_empties_is_empty(self) -> None:
        assert seen(compared(form({"b": 1}), {"a": {"x": {}, "y": []}, "b": 1})) == []
        found = compared(form({"b": 1}, semantics=self.MEANS), {"a": {"selector": {}}, "b": 1})
        assert seen(found) == [("/spec/a", "extra")]

    def test_zeros_of_a_confirmed_form_are_values(self) -> None:
        assert seen(compared(form({"a": False}), {})) == [("/spec/a", "missing")]
        assert seen(compared(form({"b": 1}), {"a": 0, "b": 1})) == [("/spec/a", "extra")]

    def test_whoever_adds_an_empty_value_has_added_it_all_the_same(self) -> None:
        assert written(form({"b": 1}), {"b": 1}, {"a": {}, "b": 1}) == [(("a",), "extra")]


class TestLists:
    """Order, sets and names that repeat."""

    def test_a_list_without_order_is_one_value_order_aside(self) -> None:
        want = form({"rules": [{"a": 1}, {"b": 2}]}, RULES)
        assert seen(compared(want, {"rules": [{"b": 2}, {"a": 1}]})) == []
        assert seen(compared(want, {"rules": [{"b": 2}, {"a": 3}]})) == [("/spec/rules/1/a", "changed")]
        assert seen(compared(want, {"rules": [{"b": 2}]})) == [("/spec/rules/0", "missing")]
        assert seen(compared(want, {"rules": [{"a": 1}, {"b": 2}, {"b": 2}]})) == [("/spec/rules/2", "extra")]

    def test_a_request_may_reorder_such_a_list_and_no_more(self) -> None:
        want, was = form({"rules": [{"a": 1}, {"b": 2}]}, RULES), {"rules": [{"a": 1}, {"b": 2}]}
        assert written(want, was, {"rules": [{"b": 2}, {"a": 1}]}) == []
        assert written(want, was, {"rules": [{"b": 2}, {"a": 1}, {}]}) != []

    def test_of_one_changed_item_of_a_set_only_what_differs_is_shown(self) -> None:
        want = form({"tags": [{"n": 1, "m": 1}, {"n": 2, "m": 2}]}, TAGS)
        found = compared(want, {"tags": [{"n": 2, "m": 5}, {"n": 1, "m": 1}]})
        assert seen(found) == [("/spec/tags/0/m", "changed")]

    def test_items_of_a_set_count(self) -> None:
        assert seen(compared(form({"tags": ["a", "a"]}, TAGS), {"tags": ["a"]})) == [("/spec/tags/1", "missing")]

    def test_earlier_items_of_a_name_may_be_gone_with_a_note(self) -> None:
        want = form({"env": [{"name": "A", "value": 1}, {"name": "A", "value": 2}]}, ENV)
        found = compared(want, {"env": [{"name": "A", "value": 2}]})
        assert seen(found) == []
        assert [one.rule for one in found.hidden] == ["shadowed-duplicates"]

    @pytest.mark.parametrize("live", [[{"name": "A", "value": 1}], [{"name": "B", "value": 2}], []])
    def test_the_last_item_of_a_name_may_not(self, live: Any) -> None:
        want = form({"env": [{"name": "A", "value": 1}, {"name": "A", "value": 2}]}, ENV)
        assert compared(want, {"env": live}).verdict == "drift"


class TestMasksAboutValues:
    """A rule may hide some values of a place: no other may be there, and what it hides may not be taken away."""

    CA = (Mask(("spec", "ca"), "r", "why", value=(("", ("ca-*",)),)),)

    @pytest.mark.parametrize(
        ("was", "now", "found"),
        [
            ({}, {"ca": "ca-1"}, [(("ca",), "masked")]),
            ({"ca": "ca-1"}, {"ca": "ca-2"}, [(("ca",), "masked")]),
            ({"ca": "ca-1"}, {"ca": "evil"}, [(("ca",), "masked")]),
            ({"ca": "ca-1"}, {}, [(("ca",), "masked")]),
            ({}, {"ca": "evil"}, [(("ca",), "extra")]),
            ({"ca": "evil"}, {"ca": "worse"}, [(("ca",), "extra")]),
            ({"ca": "evil"}, {}, []),
        ],
    )
    def test_a_request_is_asked_for_the_old_value_too(self, was: Any, now: Any, found: Any) -> None:
        assert written(form({"b": 1}, masks=self.CA), {**was, "b": 1}, {**now, "b": 1}) == found

    def test_a_report_shows_the_others_also_where_defaults_are_not_known(self) -> None:
        want = offline({"b": 1}, OPEN, masks=self.CA)
        assert seen(compared(want, {"b": 1, "ca": "ca-1"})) == []
        assert seen(compared(want, {"b": 1, "ca": "evil"})) == [("/spec/ca", "extra")]


class TestProtectedKeys:
    """Undeclared labels that mean something to the cluster are drift; a request is judged for them elsewhere."""

    def test_they_are_extra_where_git_does_not_declare_them(self) -> None:
        want = form({}, semantics=Semantics(protected=("level/*",)))
        live = {"metadata": {"labels": {"level/a": "x", "free": "y"}, "annotations": {"level/b": "x"}}, "spec": {}}
        assert [change.path for change in compare(want, live).changes] == [
            "/metadata/labels/level~1a",
            "/metadata/annotations/level~1b",
        ]
        assert list(findings(want, UNKNOWN, live)) == []


class TestDroppedFields:
    """Fields that Git declares and no schema knows are wanted wherever they are stored."""

    WANT = offline({"items": [{"a": 1}]}, dropped={("spec", "typo"): {"x": 1}, ("spec", "items", "i:0", "b"): 2})

    def test_they_are_not_missed(self) -> None:
        assert seen(compared(self.WANT, {"items": [{"a": 1}]})) == []

    def test_stored_they_are_what_git_declares(self) -> None:
        assert seen(compared(self.WANT, {"items": [{"a": 1, "b": 2}], "typo": {"x": 1}})) == []
        found = compared(self.WANT, {"items": [{"a": 1, "b": 3}], "typo": {"x": 2}})
        assert seen(found) == [("/spec/items/0/b", "changed"), ("/spec/typo/x", "changed")]

    def test_a_request_may_not_take_them_away(self) -> None:
        assert written(self.WANT, {"items": [{"a": 1}], "typo": {"x": 1}}, {"items": [{"a": 1}]}) == [
            (("typo",), "missing")
        ]

    def test_where_what_held_them_is_gone_nothing_is_put_back(self) -> None:
        want = offline({"b": 1}, dropped={("spec", "gone", "typo"): 1})
        assert seen(compared(want, {"b": 1, "gone": {"typo": 1}})) == [("/spec/gone", "extra")]


class TestDoubt:
    """Where nobody knows the defaults of a server an undeclared field may be one."""

    def test_it_is_no_drift_and_not_in_sync(self) -> None:
        found = compared(offline({"a": 1}, OPEN), {"a": 1, "b": 2})
        assert (found.verdict, [change.path for change in found.undecided]) == ("same", ["/spec/b"])

    def test_a_declared_value_is_never_in_doubt(self) -> None:
        assert seen(compared(offline({"a": 1}, OPEN), {"a": 2})) == [("/spec/a", "changed")]

    def test_a_field_that_a_server_computes_is_in_doubt_alone(self) -> None:
        found = compared(offline({"a": 1}, Known(computed=frozenset({"b"}))), {"a": 1, "b": 2, "c": 3})
        assert seen(found) == [("/spec/c", "extra")]
        assert [change.path for change in found.undecided] == ["/spec/b"]

    def test_a_default_that_is_not_there_is_of_another_version(self) -> None:
        want: dict[str, Any] = {"filled": {"f:spec": {"f:d": {}}}}
        assert seen(compared(offline({"d": 1}, **want), {})) == []
        assert seen(compared(offline({"d": 1}, **want), {"d": 2})) == [("/spec/d", "default-overridden")]
        assert seen(compared(form({"d": 1}, **want), {})) == [("/spec/d", "default-overridden")]


class TestControllersThatDropZeros:
    """A controller that writes a custom resource back leaves zeros out; a person who takes one away drifts."""

    RULE = Semantics((SemanticRule("cr-zero-values", ("*",), ("/spec/**",), "why", "zero-is-absent"),))

    @pytest.mark.parametrize("zero", [False, 0, ""])
    def test_what_a_controller_left_out_is_hidden_by_the_rule(self, zero: Any) -> None:
        found = compared(form({"a": zero, "b": 1}, semantics=self.RULE), {"b": 1}, [CONTROLLER])
        assert (seen(found), [one.rule for one in found.hidden]) == ([], ["cr-zero-values"])

    @pytest.mark.parametrize(
        "writer", [{**CONTROLLER, "manager": "kubectl-edit"}, {**CONTROLLER, "operation": "Apply"}, {}]
    )
    def test_people_appliers_and_nobody_are_no_controllers(self, writer: Any) -> None:
        found = compared(form({"a": False, "b": 1}, semantics=self.RULE), {"b": 1}, [writer])
        assert seen(found) == [("/spec/a", "missing")]

    def test_values_and_kinds_of_the_server_itself_are_never_left_out(self) -> None:
        assert seen(compared(form({"a": True, "b": 1}, semantics=self.RULE), {"b": 1}, [CONTROLLER])) == [
            ("/spec/a", "missing")
        ]
        builtin = form({"a": False, "b": 1}, semantics=self.RULE, types=TypeNode())
        assert seen(compared(builtin, {"b": 1}, [CONTROLLER])) == [("/spec/a", "missing")]

    def test_a_request_is_not_excused_by_it(self) -> None:
        want = form({"a": False, "b": 1}, semantics=self.RULE)
        assert written(want, {"a": False, "b": 1}, {"b": 1}) == [(("a",), "missing")]


class TestMasksOfMetadata:
    """What a rule hides of metadata stays Git's own: it is no drift, and nobody but its writer changes it."""

    @pytest.mark.parametrize(
        "path",
        [("metadata",), ("metadata", "labels"), ("metadata", "labels", "**"), ("metadata", "labels", "a")],
    )
    def test_it_hides_a_declared_label(self, path: tuple[str, ...]) -> None:
        want = form({"b": 1}, masks=(Mask(path, "r", "why"),))
        declared = {**want.want, "metadata": {"name": "one", "labels": {"a": "x"}}}
        want = replace(want, want=declared)
        live = {"metadata": {"labels": {"a": "y"}}, "spec": {"b": 1}}
        found = compare(want, live)
        assert (found.changes, [one.rule for one in found.hidden]) == ((), ["r"])
        was = {**live, "metadata": {"labels": {"a": "x"}}}
        assert [(one.path, one.verdict) for one in findings(want, was, live)] == [
            (("metadata", "labels", "a"), "masked")
        ]
