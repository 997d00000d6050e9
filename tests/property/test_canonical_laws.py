"""Laws of form and comparison over objects of real types: stable, reflexive, symmetric, repairable, not blind.

The loader's law, that it reads as kubectl does, is held by tests/integration/test_loader_against_kubectl.py.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.compare.comparison import compare
from reconciler.compare.patch import repair
from tests.property.typed import another, another_state, containers, form, leaves, objects, put, stored

pytestmark = pytest.mark.property
# Trees of real types take their time.
fewer = settings(max_examples=settings().max_examples // 2)


@fewer
@given(objects())
def test_the_form_of_a_form_is_that_form(tree: Any) -> None:
    once = stored(tree)
    assert stored(copy.deepcopy(once)) == once


@fewer
@given(objects())
def test_nothing_differs_from_its_own_form(tree: Any) -> None:
    found = compare(form(tree), stored(tree))
    assert (found.changes, found.undecided) == ((), ())


@fewer
@given(objects(), st.data())
def test_two_complete_states_differ_in_both_directions_or_in_none(tree: Any, data: st.DataObject) -> None:
    one = stored(tree)
    other = stored(another_state(tree, data))
    there = compare(replace(form(one), confidence="server"), other)
    back = compare(replace(form(other), confidence="server"), one)
    # A rule may hide what one of them declares and the other leaves out.
    assume(not there.hidden and not back.hidden)
    assert there.verdict == back.verdict


@fewer
@given(objects(), st.data())
def test_what_repair_makes_of_another_state_is_the_same(tree: Any, data: st.DataObject) -> None:
    want = form(tree)
    live = stored(another_state(tree, data))
    patch = repair(compare(want, live), live)
    mended = jsonpatch.apply_patch(copy.deepcopy(live), list(patch))
    assert compare(want, mended).changes == ()


@fewer
@given(objects(), st.data())
def test_one_changed_leaf_is_reported(tree: Any, data: st.DataObject) -> None:
    want, live = form(tree), stored(tree)
    found = list(leaves(live))
    assume(found)
    path, old = data.draw(st.sampled_from(found))
    compared = compare(want, put(live, path, another(old)))
    assert compared.changes or compared.hidden


@fewer
@given(objects(), st.data())
def test_one_added_field_or_item_is_reported(tree: Any, data: st.DataObject) -> None:
    want, live = form(tree), stored(tree)
    path, value = data.draw(st.sampled_from(list(containers(live))))
    more = [*value, {"name": "added"}] if isinstance(value, list) else {**value, "added": "value"}
    compared = compare(want, put(live, path, more))
    # Where nobody knows the defaults of a server an added field may be one.
    assert compared.changes or compared.hidden or compared.undecided
