"""Laws of the short cut through keyed lists: whatever it leaves out, the long way finds nothing there."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compare import walk as walking
from reconciler.compare.place import UNKNOWN, Place
from reconciler.model.tree import ABSENT
from reconciler.schema.types import TypeNode

pytestmark = pytest.mark.property

_values = st.one_of(st.integers(0, 2), st.booleans(), st.sampled_from(["", "a", "1"]), st.none())
_items = st.fixed_dictionaries({}, optional={"name": _values, "kind": _values, "value": _values})
_lists = st.lists(_items, max_size=5)


@st.composite
def _sides(draw: st.DrawFn) -> tuple[list[Any], Any, Any]:
    """Want, was and now: often alike but for an item or two."""
    want = draw(_lists)
    was, now = (draw(st.one_of(_lists, st.just(_touched(want, draw)))) for _ in range(2))
    return want, draw(st.sampled_from([UNKNOWN, was, ABSENT])), now


def _touched(items: list[Any], draw: st.DrawFn) -> list[Any]:
    return [draw(_items) if draw(st.integers(0, 3)) == 0 else dict(item) for item in items]


@given(_sides(), st.booleans(), st.booleans(), st.sampled_from([("name",), ("name", "kind")]))
def test_the_short_cut_finds_what_the_long_way_finds(
    sides: tuple[list[Any], Any, Any], ordered: bool, whole: bool, keys: tuple[str, ...]
) -> None:
    want, was, now = sides
    node = TypeNode(list_type="map", keys=keys, ordered=ordered, each=TypeNode())
    place = Place(("items",), node, whole=whole)
    short = list(walking.walk(place, want, was, now))
    with mock.patch.object(walking, "_differing", return_value=None):
        assert short == list(walking.walk(place, want, was, now))
