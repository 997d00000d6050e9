"""Rules of defaults are found from made-up examples; where examples disagree, nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.schema.fill import is_latest
from tools.probe.learn import Example, explained, rules_of
from tools.probe.observe import Observation
from tools.probe.rules import COMPUTED, filled
from tools.probe.shapes import Shapes
from tools.probe.table import Learner, mistakes


def _examples(*rows: tuple[dict[str, Any], Any], kind: str = "apps/Deployment") -> list[Example]:
    return [Example(kind, struct, answer) for struct, answer in rows]


def test_what_is_always_filled_in_needs_no_condition() -> None:
    assert rules_of(_examples(({}, 10), ({"replicas": 1}, 10))) == [{"value": 10}]


def test_what_is_never_filled_in_has_no_rule() -> None:
    assert rules_of(_examples(({}, None), ({"replicas": 1}, None))) == []


def test_an_image_without_a_version_decides_on_pulling() -> None:
    images = ["a", "a:latest", "host:5000/a", "a:1", "host:5000/a:1", "a@sha256:00", "a:latest@sha256:00"]
    examples = _examples(*(({"image": name}, "Always" if is_latest(name) else "IfNotPresent") for name in images))
    rules = rules_of(examples) or []
    assert filled(rules, "Pod", {"image": "other.example.com:80/b"}) == "Always"
    assert filled(rules, "Pod", {"image": "other.example.com:80/b:2"}) == "IfNotPresent"
    assert filled(rules, "Pod", {"image": "b:latest@sha256:00"}) == "Always"


@pytest.mark.parametrize(
    ("image", "latest"),
    [
        ("a", True),
        ("a:latest", True),
        ("host:5000/a", True),
        ("a:latest@sha256:00", True),
        ("a:1", False),
        ("host:5000/a:1", False),
        ("a@sha256:00", False),
        ("a:1@sha256:00", False),
    ],
)
def test_only_a_tag_or_a_digest_alone_is_a_version(image: str, latest: bool) -> None:
    assert is_latest(image) is latest


def test_a_sibling_that_is_there_decides() -> None:
    examples = _examples(
        ({}, ["Ingress"]),
        ({"ingress": [{}]}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": [{}], "ingress": [{}]}, ["Ingress", "Egress"]),
    )
    rules = rules_of(examples) or []
    assert [filled(rules, "x", struct) for struct in ({"egress": [1]}, {"ingress": [1]})] == [
        ["Ingress", "Egress"],
        ["Ingress"],
    ]


def test_a_rule_may_hold_for_undeclared_siblings_only() -> None:
    examples = _examples(({}, {"partition": 0}), ({"other": 1}, {"partition": 0}), ({"type": "RollingUpdate"}, None))
    assert rules_of(examples) == [{"when": [{"field": "type", "declared": False}], "value": {"partition": 0}}]


def test_values_of_choices_are_told_together() -> None:
    names = {"User": "rbac", "Group": "rbac", "ServiceAccount": None}
    examples = _examples(*(({"kind": kind, "name": name}, group) for kind, group in names.items() for name in "ab"))
    assert rules_of(examples) == [{"when": [{"field": "kind", "in": ["Group", "User"]}], "value": "rbac"}]


def test_names_of_things_are_no_choices() -> None:
    examples = _examples(({"name": "a"}, 1), ({"name": "b"}, 2), ({"name": "c"}, 1))
    assert rules_of(examples) is None


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (lambda port: port, {"copy": "from"}),
        (str.lower, {"copy": "from", "lower": True}),
        (lambda kind: kind + "List", {"copy": "from", "suffix": "List"}),
    ],
)
def test_a_sibling_is_copied(made: Any, rule: dict[str, Any]) -> None:
    assert rules_of(_examples(*(({"from": value}, made(value)) for value in ("Ab", "Cd", "Ef")))) == [rule]


def test_the_kind_of_the_object_decides() -> None:
    examples = [Example(kind, {}, 6) for kind in ("Job", "Job")] + [Example("CronJob", {"a": 1}, None)]
    examples += [Example("Job", {"a": 1}, 6), Example("CronJob", {}, None)]
    assert rules_of(examples) == [{"when": [{"field": "$kind", "in": ["Job"]}], "value": 6}]


def test_allocated_values_are_computed() -> None:
    assert explained(_examples(({}, "10.0.0.1"), ({"a": 1}, "10.0.0.2"), ({}, "10.0.0.3"))) == [{"computed": True}]


def test_a_time_is_computed_although_two_were_equal() -> None:
    assert explained(_examples(({}, "2026-01-01T00:00:00Z"), ({"a": 1}, "2026-01-01T00:00:00Z"))) == [
        {"computed": True}
    ]


def test_only_kinds_that_no_rule_explains_are_computed() -> None:
    examples = [
        Example("Pod", {}, 1),
        Example("Pod", {}, 2),
        Example("Deployment", {}, 5),
        Example("Deployment", {"a": 1}, 5),
    ]
    rules = explained(examples)
    assert filled(rules, "Pod", {}) is COMPUTED
    assert filled(rules, "Deployment", {"b": 1}) == 5


_SPEC = {"properties": {name: {"type": of} for name, of in {"a": "integer", "b": "boolean", "t": "string"}.items()}}
_SPEC["properties"]["l"] = {"type": "array", "items": {"type": "string"}}
_SHAPES = Shapes([{"components": {"schemas": {"Spec": _SPEC}}}])


def _seen(sent: dict[str, Any], answered: dict[str, Any]) -> Observation:
    return Observation("Spec", "Kind", sent, answered)


def _learned(*seen: Observation) -> dict[str, Any]:
    learner = Learner(_SHAPES)
    learner.learn_keeps(seen)
    table: dict[str, Any] = learner.table(learner.rows(seen))
    return table


def test_a_zero_that_is_stored_is_kept_and_one_that_is_not_counts_as_undeclared() -> None:
    table = _learned(_seen({"a": 0, "t": "x"}, {"a": 0, "t": "x"}), _seen({"b": False}, {"a": 3}), _seen({}, {"a": 3}))
    assert table == {"Spec": {"fill": {"a": [{"value": 3}]}, "keeps": ["a"]}}


def test_a_zero_that_is_stored_only_sometimes_is_computed() -> None:
    table = _learned(_seen({"b": False}, {"b": False}), _seen({"b": False, "a": 1}, {"a": 1}), _seen({}, {}))
    assert table["Spec"] == {"computed": ["b"]}


def test_a_zero_that_is_always_stored_is_kept_also_where_no_rule_tells_the_default() -> None:
    """The windows of an autoscaler: 0 says something, and absent is not the same up as down."""
    table = _learned(_seen({"a": 0}, {"a": 0}), _seen({}, {"a": 3}), _seen({}, {}))
    assert table["Spec"] == {"computed": ["a"], "keeps": ["a"]}


def test_a_declared_list_that_the_server_extends_is_computed() -> None:
    table = _learned(
        _seen({"l": ["x"]}, {"l": ["x", "y"]}), _seen({"a": 1}, {"a": 1, "l": ["y"]}), _seen({}, {"l": ["y"]})
    )
    assert table["Spec"] == {"computed": ["l"]}


def test_a_definition_seen_once_stays_unknown() -> None:
    assert _learned(_seen({"a": 1}, {"a": 1})) == {}


def test_a_wrong_rule_is_told_with_what_it_says() -> None:
    learner = Learner(_SHAPES)
    rows = learner.rows([_seen({"a": 1}, {"a": 1, "t": "x"})])["Spec"]
    assert [(name, said) for name, _, said in mistakes({"fill": {"t": [{"value": "y"}]}}, rows)] == [("t", "y")]
    assert mistakes({"fill": {"t": [{"value": "x"}]}}, rows) == []


def test_a_field_is_filled_in_where_none_of_many_others_is_there() -> None:
    sources = ["a", "b", "c", "d"]
    examples = _examples(*(({source: {}, "name": name}, None) for source in sources for name in "xyz"))
    examples += _examples(*(({"name": name}, {}) for name in "xyz"))
    rules = rules_of(examples) or []
    assert filled(rules, "Pod", {"name": "x"}) == {}
    assert [filled(rules, "Pod", {source: {}}) for source in sources] == [None] * 4


def test_what_depends_on_the_cluster_is_computed_for_the_kinds_that_are_named() -> None:
    learner = Learner(_SHAPES, {"Spec": {"a": ["Kind"]}})
    seen = [Observation("Spec", kind, {"t": name}, {"t": name, "a": 0}) for kind in ("Kind", "Other") for name in "xy"]
    entry = learner.table(learner.rows(seen))["Spec"]
    assert entry["fill"]["a"] == [{"when": [{"field": "$kind", "in": ["Kind"]}], "computed": True}, {"value": 0}]
