"""Holds where two answers to the same dry-run are said to differ."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.volatile import differing


@pytest.mark.parametrize(
    ("one", "other", "places"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 1.0}, ()),
        ({"a": 1}, {"a": True}, ("/a",)),
        ({"a": {"b/c": 1, "d~e": 2}}, {"a": {"b/c": 2, "d~e": 3}}, ("/a/b~1c", "/a/d~0e")),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ("/a/1/b",)),
        ({"a": [1]}, {"a": [1, 2]}, ("/a",)),
        ({"a": None}, {}, ("/a",)),
        ({"a": {}}, {"a": []}, ("/a",)),
    ],
)
def test_the_differing_leaves_are_named(one: Any, other: Any, places: tuple[str, ...]) -> None:
    assert differing(one, other) == places
