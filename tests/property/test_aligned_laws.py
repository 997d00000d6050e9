"""Laws of the short cut through keyed lists: whatever it leaves out, the long way finds nothing there."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.compare import walk as walking
from reconciler.compare.place import UNKNOWN, Place
from reconciler.model.tree import ABSENT
from reconciler.schema.types import TypeNode

pytestmark = pytest.mark.property

_names = st.sampled_from(["a", "b", "c", "d", "e", "", 1, True, None])
_values = st.sampled_from([0, 1, False, True, 1.0, "", "1", None])
_items = st.fixed_dictionaries({"value": _values}, optional={"name": _names, "kind": _values})
_unique = st.lists(_items, max_size=5, unique_by=lambda item: str(item.get("name")))
_lists = st.one_of(_unique, st.lists(_items, max_size=4))


@st.composite
def _sides(draw: st.DrawFn) -> tuple[list[Any], Any, Any]:
    """Want, was and now: mostly alike but for a value or two."""
    want = draw(_lists)
    was, now = (draw(st.one_of(_touched(want), _touched(want), _lists)) for _ in range(2))
    return want, draw(st.sampled_from([UNKNOWN, was, was, ABSENT])), now


@st.composite
def _touched(draw: st.DrawFn, items: list[Any]) -> list[Any]:
    return [{**item, "value": draw(_values)} if draw(st.booleans()) else dict(item) for item in items]


@settings(max_examples=2000)
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
