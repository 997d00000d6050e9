"""Holds how a definition of defaults.json is read; what its rules do, unit/canonical/test_complete.py holds."""

from __future__ import annotations

import pytest

from reconciler.model.tree import ABSENT
from reconciler.schema.fill import KIND, Condition, Fill, Known, parse_known


def test_a_definition_that_says_nothing_keeps_nothing_and_fills_nothing() -> None:
    assert parse_known({}) == Known(keeps=frozenset())


def test_rules_keep_their_order_and_their_conditions() -> None:
    known = parse_known(
        {
            "fill": {
                "a": [
                    {"value": 1, "when": [{"field": "b", "declared": False}, {"field": "c", "in": ["x", "y"]}]},
                    {"copy": "b", "lower": True, "suffix": "-x", "when": [{"field": "image", "latest": True}]},
                ]
            },
            "keeps": ["b"],
        }
    )
    conditions = (Condition("b", declared=False), Condition("c", among=("x", "y")))
    assert known.fill["a"] == (
        Fill(1, when=conditions),
        Fill(copy="b", lower=True, suffix="-x", when=(Condition("image", latest=True),)),
    )
    assert known.keeps == frozenset({"b"})


def test_a_default_of_null_and_none_at_all_are_two_things() -> None:
    known = parse_known({"fill": {"a": [{"value": None}], "b": [{"computed": True}]}})
    assert known.fill["a"][0].value is None
    assert known.fill["b"][0].value is ABSENT


def test_a_field_that_some_kinds_compute_is_known_in_the_others() -> None:
    rule = {"computed": True, "when": [{"field": KIND, "in": ["batch/Job"]}]}
    known = parse_known({"fill": {"a": [rule, {"value": 1}]}, "computed": ["z"]})
    assert (known.computed, dict(known.computed_in)) == (frozenset({"z"}), {"a": frozenset({"batch/Job"})})
    assert known.computes("a", "batch/Job")
    assert not known.computes("a", "apps/Deployment")


@pytest.mark.parametrize("when", [[{"field": "b", "declared": True}], []])
def test_a_field_that_is_computed_by_its_siblings_is_computed_everywhere(when: list[object]) -> None:
    rule = {"computed": True, **({"when": when} if when else {})}
    assert parse_known({"fill": {"a": [rule]}}).computed == frozenset({"a"})


@pytest.mark.parametrize(
    ("image", "latest"),
    [
        ("web", True),
        ("web:latest", True),
        ("web:1", False),
        ("shop:5000/web", True),
        ("shop:5000/web:1", False),
        ("web@sha256:0", False),
        ("web:latest@sha256:0", True),
        ("", True),
    ],
)
def test_an_image_of_the_latest_version_is_one_without_a_tag_or_digest_or_of_that_tag(image: str, latest: bool) -> None:
    assert Condition("image", latest=True).holds({"image": image}, "Pod") is latest
    assert Condition("image", latest=False).holds({"image": image}, "Pod") is not latest


@pytest.mark.parametrize("latest", [True, False])
def test_what_is_no_text_is_an_image_of_no_version(latest: bool) -> None:
    assert not Condition("image", latest=latest).holds({"image": 1}, "Pod")
