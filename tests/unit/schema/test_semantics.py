"""Holds which meaning the semantic rules of the policies give to values, for which kinds and at which places."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.path import ItemKey, Path
from reconciler.policy.model import Rules, SemanticRule, SteeringRule
from reconciler.schema.semantics import NOTHING_SAID, Semantics, semantics_of
from tests.support.decisions import builtin_rules


def rule(meaning: str, *paths: str, kinds: tuple[str, ...] = ("{custom}",)) -> SemanticRule:
    return SemanticRule(id="r", reason="why", kinds=kinds, meaning=meaning, paths=paths)  # type: ignore[arg-type]


def of(*rules: SemanticRule, group: str = "x.io", kind: str = "Foo", custom: bool = True) -> Semantics:
    return semantics_of(Rules((), semantics=rules), group, kind, custom=custom)


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        (("spec", "pollInterval"), "duration"),
        (("spec", "interval"), "duration"),
        (("spec", "intervals"), ""),
        (("spec", "steps", ItemKey((("name", "a"),)), "timeout"), "duration"),
        (("spec", "resources", "limits", "cpu"), "quantity"),
        (("spec", "pools", 0, "resources", "requests", "memory"), "quantity"),
        (("spec", "limits", "cpu"), ""),
        (("spec", "nominalQuota"), "quantity"),
    ],
)
def test_the_shipped_rules_tell_values_of_custom_resources_by_their_names(path: Path, meaning: str) -> None:
    assert semantics_of(builtin_rules(), "x.io", "Foo", custom=True).scalar(path) == meaning
    assert semantics_of(builtin_rules(), "apps", "Deployment", custom=False).scalar(path) == ""


def test_a_rule_may_be_for_one_kind() -> None:
    one = rule("quantity", "/spec/size", kinds=("x.io/Foo",))
    assert of(one).scalar(("spec", "size")) == "quantity"
    assert of(one, kind="Bar").scalar(("spec", "size")) == ""
    assert of(one, custom=False).scalar(("spec", "size")) == "quantity"


def test_the_first_rule_with_a_meaning_for_scalars_tells_it() -> None:
    found = of(rule("meaningful-empty", "**"), rule("duration", "/spec/a"), rule("quantity", "/spec/*"))
    assert found.scalar(("spec", "a")) == "duration"
    assert found.scalar(("spec", "b")) == "quantity"
    assert found.empty_matters(("spec", "b"))


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        (("spec", "podSelector"), True),
        (("spec", "ingress", 0, "from", 1, "namespaceSelector"), True),
        (("spec", "template", "spec", "volumes", ItemKey((("name", "a"),)), "emptyDir"), True),
        (("spec", "template", "spec", "tolerations"), False),
        (("spec", "selector"), False),
    ],
)
def test_the_shipped_rules_name_where_empty_is_not_absent(path: Path, matters: bool) -> None:
    assert semantics_of(builtin_rules(), "apps", "Deployment", custom=False).empty_matters(path) is matters


def test_controllers_may_leave_out_zeros_of_custom_resources_alone() -> None:
    path = ("spec", "off")
    found = semantics_of(builtin_rules(), "x.io", "Foo", custom=True).zero_is_absent(path)
    assert found is not None
    assert found.id == "cr-zero-values"
    assert semantics_of(builtin_rules(), "apps", "Deployment", custom=False).zero_is_absent(path) is None


@pytest.mark.parametrize(
    ("steering", "protected"),
    [({"removable": False}, True), ({}, False), ({"removable": False, "writers": ("a",)}, False)],
)
def test_keys_that_nobody_adds_or_takes_away_are_protected(steering: Any, protected: bool) -> None:
    found = semantics_of(Rules((), steering=(SteeringRule("x.io/*", "why", **steering),)), "", "Pod", custom=False)
    assert found.protects("x.io/level") is protected
    assert not found.protects("y.io/level")


def test_without_rules_nothing_is_said_of_any_place() -> None:
    assert NOTHING_SAID.scalar(("spec", "timeout")) == ""
    assert not NOTHING_SAID.empty_matters(("spec", "podSelector"))
    assert NOTHING_SAID.zero_is_absent(("spec",)) is None


def test_places_without_end_do_not_fill_the_memory() -> None:
    found = of(rule("quantity", "/spec/*"))
    for number in range(5000):
        assert found.scalar(("spec", f"x{number}")) == "quantity"
    assert len(found._found) <= 4096
