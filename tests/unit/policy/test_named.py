"""Owns what named rules may say, what is refused with its place, and what becomes of them after their last day."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from reconciler.errors import UsageError
from reconciler.policy.expiry import active
from reconciler.policy.model import Rules
from reconciler.policy.parse import parse_rules
from tests.support.decisions import builtin_rules

MASK = {"id": "r", "reason": "why", "kinds": ["Service"], "paths": ["/spec/x"]}
LIST = {"id": "r", "kinds": ["Service"], "paths": ["/spec/x"], "meaning": "set"}
VALUE = {"id": "r", "paths": ["**/x"], "meaning": "quantity"}
SCALER = {"id": "r", "kinds": ["x.io/S"], "target": "/spec/t", "low": "/spec/l", "high": "/spec/h"}
KINDS = {"MaskRules": MASK, "ListRules": LIST, "SemanticRules": VALUE, "ScalerRules": SCALER}


def rules(kind: str, **changes: Any) -> Rules:
    return parse_rules([("f.yaml", {"kind": kind, "rules": [{**KINDS[kind], **changes}]})])


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("MaskRules", {"id": ""}, "no name of a rule"),
        ("MaskRules", {"id": "Not A Name"}, "no name of a rule"),
        ("MaskRules", {"rule": "r"}, "unknown field 'rule'"),
        ("MaskRules", {"kinds": []}, "kinds"),
        ("MaskRules", {"paths": []}, "paths"),
        ("MaskRules", {"paths": ["spec.x"]}, "no JSON pointer"),
        ("MaskRules", {"paths": ["$..x"]}, "no plain JSONPath"),
        ("MaskRules", {"when": "sometimes"}, "when"),
        ("MaskRules", {"when": "extra"}, r"ends in /\*"),
        ("MaskRules", {"value": "x"}, "value"),
        ("MaskRules", {"value": []}, "no pattern"),
        ("MaskRules", {"value": {"name": ["x"]}}, "no JSON pointer"),
        ("MaskRules", {"value": {"/name": "x"}}, "/name"),
        ("MaskRules", {"expires": "tomorrow"}, "date such as"),
        ("MaskRules", {"expires": 2027}, "date such as"),
        ("ListRules", {"id": "-"}, "no name of a rule"),
        ("ListRules", {"path": "/spec/x"}, "unknown field 'path'"),
        ("ListRules", {"paths": ["{replicas}"]}, "no list"),
        ("ListRules", {"meaning": "bag"}, "meaning"),
        ("ListRules", {"meaning": "map"}, "keys"),
        ("ListRules", {"keys": ["name"]}, "keys"),
        ("SemanticRules", {"meaning": "weight"}, "meaning"),
        ("SemanticRules", {"paths": []}, "paths"),
        ("ScalerRules", {"target": "spec"}, "no JSON pointer"),
        ("ScalerRules", {"low": ""}, "low"),
        ("ScalerRules", {"lowDefault": "1"}, "lowDefault"),
    ],
)
def test_a_wrong_field_of_a_rule_is_named_with_its_place(kind: str, changes: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        rules(kind, **changes)
    assert "f.yaml.rules[0]" in str(caught.value)


def test_a_jsonpath_is_the_pointer_that_it_means() -> None:
    found = rules("MaskRules", paths=['$.spec.ports[?(@.name=="http")].nodePort', "/spec/ports/*/nodePort"])
    assert found.masks[0].paths == ('/spec/ports/k:{"name":"http"}/nodePort', "/spec/ports/*/nodePort")


def test_a_condition_is_on_the_value_or_on_what_is_below_it() -> None:
    assert rules("MaskRules", value=["a*", "b"]).masks[0].value == (("", ("a*", "b")),)
    assert rules("MaskRules", value={"/name": ["a"]}).masks[0].value == (("/name", ("a",)),)


def test_rules_in_pod_specs_and_lists_with_several_paths_become_several_of_one_name() -> None:
    masks = rules("MaskRules", kinds=[], paths=["{podSpec}/priority"]).masks
    lists = rules("ListRules", paths=["/spec/a", "/spec/b"]).lists
    assert {mask.id for mask in masks} == {"r"}
    assert "/spec/jobTemplate/spec/template/spec/priority" in {path for mask in masks for path in mask.paths}
    assert [(rule.id, rule.path) for rule in lists] == [("r", "/spec/a"), ("r", "/spec/b")]


@pytest.mark.parametrize("day", [date(2027, 1, 31), "2027-01-31"])
def test_a_last_day_may_be_quoted(day: Any) -> None:
    assert rules("MaskRules", expires=day).masks[0].expires == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("kind", "table"), [("MaskRules", "masks"), ("ListRules", "lists"), ("SemanticRules", "semantics")]
)
def test_a_rule_holds_on_its_last_day_and_then_says_that_it_has_ended(kind: str, table: str) -> None:
    found = rules(kind, expires="2027-01-31", owner="team payments")
    same, silent = active(found, date(2027, 1, 31))
    left, lines = active(found, date(2027, 2, 1))
    assert (same, silent) == (found, ())
    assert getattr(left, table) == ()
    assert lines == ("rule r expired on 2027-01-31, owner team payments: what it hid is drift again",)


def test_a_rule_that_has_ended_is_told_once_and_without_an_owner_too() -> None:
    found = rules("MaskRules", kinds=[], paths=["{podSpec}/priority"], expires="2027-01-31")
    assert active(found, date(2028, 1, 1))[1] == (
        "rule r expired on 2027-01-31, owner nobody: what it hid is drift again",
    )


def test_rules_of_any_form_travel_as_json() -> None:
    found = rules("MaskRules", expires="2027-01-31", value=["a"], names=["w*"], manager="m")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Rules) == found
    assert msgspec.json.decode(msgspec.json.encode(builtin_rules()), type=Rules) == builtin_rules()


def test_every_named_rule_has_a_reason() -> None:
    reasons = builtin_rules().reasons()
    assert {"hpa-range", "quantity", "env-order", "decoded-secret", "service-allocations"} <= reasons.keys()
    assert [name for name, reason in reasons.items() if not reason] == []
