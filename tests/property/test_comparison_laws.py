"""Laws of `compare`: nothing differs from itself, every change is seen where it is, order without meaning is none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compare.comparison import compare
from reconciler.model.path import pointer
from tests.property.strategies import form, leaves, put, specs, thing

pytestmark = pytest.mark.property


@given(specs, st.booleans())
def test_an_object_does_not_differ_from_itself(spec: Any, offline: bool) -> None:
    assert compare(form(spec, offline=offline), thing(copy.deepcopy(spec))).changes == ()


@given(specs, st.data())
def test_a_changed_leaf_is_reported_at_its_place(spec: Any, data: st.DataObject) -> None:
    path, old = data.draw(st.sampled_from(leaves(spec)))
    new = ["changed"] if isinstance(old, list) else f"changed {old}"
    live = put(thing(spec), path, new)
    changes = compare(form(spec), live).changes
    assert changes
    assert all(change.place[: len(path)] == path for change in changes)


@given(specs, st.data())
def test_a_removed_leaf_is_reported_at_its_place(spec: Any, data: st.DataObject) -> None:
    path, _ = data.draw(st.sampled_from(leaves(spec)))
    changes = compare(form(spec), put(thing(spec), path, ...)).changes
    assert changes
    assert all(change.place[: len(path)] == path and change.op == "remove" for change in changes)


@given(specs, st.data())
def test_an_added_key_is_reported_at_its_place(spec: Any, data: st.DataObject) -> None:
    path, _ = data.draw(st.sampled_from([leaf for leaf in leaves(spec) if isinstance(leaf[0][-1], str)]))
    added = (*path[:-1], "added")
    changes = compare(form(spec), put(thing(spec), added, 1)).changes
    assert [(change.place, change.op, change.klass) for change in changes] == [(added, "add", "extra")]


@given(specs, st.randoms(use_true_random=False))
def test_order_of_keyed_items_and_of_sets_is_no_difference(spec: Any, random: Any) -> None:
    live = copy.deepcopy(spec)
    for name in ("items", "tags"):
        random.shuffle(live.get(name, []))
    assert compare(form(spec), thing(live)).changes == ()


@given(specs, st.randoms(use_true_random=False))
def test_order_where_it_counts_is_a_difference(spec: Any, random: Any) -> None:
    live = copy.deepcopy(spec)
    for name in ("lines", "raw"):
        random.shuffle(live.get(name, []))
    differs = any(live.get(name) != spec.get(name) for name in ("lines", "raw"))
    assert bool(compare(form(spec), thing(live)).changes) is differs


@given(specs, specs)
def test_paths_of_changes_point_to_what_they_say(want: Any, live: Any) -> None:
    for change in compare(form(want), thing(live)).changes:
        document = thing(want) if change.op == "remove" else thing(live)
        assert change.path == pointer(change.place, document)
        if change.klass != "order":
            assert _at(document, change.path) == (change.desired if change.op == "remove" else change.live)


@given(specs, specs)
def test_no_changes_means_the_same_value(want: Any, live: Any) -> None:
    if not compare(form(want), thing(live)).changes:
        assert compare(form(live), thing(want)).changes == ()


def _at(document: Any, path: str) -> Any:
    for token in path.split("/")[1:]:
        document = document[int(token)] if isinstance(document, list) else document[token]
    return document
