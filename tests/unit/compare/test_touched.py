"""What a request has touched in a map or keyed list, and the memory of what was made of masks."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.canonical.form import Mask
from reconciler.compare.equal import touched
from reconciler.compare.masking import build
from reconciler.model.kept import kept


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, []),
        ({"a": 1, "b": "x"}, {"b": "y", "a": 1}, ["b"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": {"deep": [0]}, "b": 2}, {"a": {"deep": [False]}, "b": 3}, ["a", "b"]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": None}, {}, ["a"]),
        ({}, {"a": None}, ["a"]),
        ({"a": "\ud800", "b": 1}, {"a": "\ud800", "b": True}, ["b"]),
        ({"a": "\ud800", "b": 1}, {"a": "\ud800", "b": 1}, []),
    ],
)
def test_a_key_is_touched_where_its_value_became_another_one(was: Any, now: Any, expected: list[str]) -> None:
    assert touched({"wanted": 0, **was, **now}, was, now) == expected


def test_touched_keys_come_in_the_order_that_is_asked_for() -> None:
    assert touched(["c", "a", "b"], {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 2}) == ["c", "a"]


def test_the_trie_of_the_same_masks_is_made_once() -> None:
    masks = (Mask(("spec", "replicas"), "a-rule", "a reason"),)
    assert build(masks) is build(masks)
    other = (Mask(("spec", "replicas"), "another-rule", "a reason"),)
    found = build(other)
    assert found is not None
    assert found.children["spec"].children["replicas"].masks == other


def test_few_answers_are_kept_and_each_belongs_to_one_value() -> None:
    made: list[str] = []

    @kept(2)
    def measured(thing: tuple[str, ...]) -> int:
        made.append(thing[0])
        return len(thing)

    things = [(name, *name) for name in ("a", "bb", "ccc")]
    assert [measured(thing) for thing in things] == [2, 3, 4]
    assert [measured(thing) for thing in (things[2], things[2], things[0])] == [4, 4, 2]
    assert made == ["a", "bb", "ccc", "a"]
