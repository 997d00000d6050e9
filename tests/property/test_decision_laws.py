"""Laws of `decide`: only what changes is judged, the way to want is open from everywhere, verdict and report agree."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compare.comparison import compare
from reconciler.policy.model import Policy, Rules, SteeringRule
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.property.strategies import KIND, REF, form, leaves, put, specs, thing
from webhook.decision.decide import decide
from webhook.decision.types import Decision, Identity, Request, Trees

pytestmark = pytest.mark.property
ALICE = Identity("alice")


def decided(want: Any, was: Any, now: Any, *, offline: bool = False) -> Decision:
    held = MemorySnapshot((Entry(form(want, offline=offline), Policy("default")),), Rules(()))
    operation: Any = "CREATE" if was is None else "UPDATE"
    request = Request(
        uid="1",
        group=KIND.group,
        version=KIND.version,
        resource=KIND.resource,
        kind=KIND.kind,
        operation=operation,
        identity=ALICE,
        namespace=REF.namespace,
        name=REF.name,
        objects=Trees(thing(now), None if was is None else thing(was)),
    )
    return decide(request, held, 0.0)


@given(specs, specs, st.booleans())
def test_what_does_not_change_is_not_judged(want: Any, was: Any, offline: bool) -> None:
    assert decided(want, was, copy.deepcopy(was), offline=offline).code == "unchanged"


@given(specs, specs, st.booleans())
def test_the_way_to_want_is_open_from_everywhere(want: Any, was: Any, offline: bool) -> None:
    assert decided(want, was, want, offline=offline).allowed


@given(specs, st.booleans())
def test_what_git_declares_may_be_created(want: Any, offline: bool) -> None:
    assert decided(want, None, want, offline=offline).allowed


@given(specs, st.data(), st.booleans())
def test_any_subset_of_drifted_leaves_may_move_to_want(want: Any, data: st.DataObject, offline: bool) -> None:
    places = leaves(want)
    drifted = data.draw(st.lists(st.sampled_from(places), unique_by=lambda leaf: leaf[0]))
    was = thing(want)
    for path, old in drifted:
        removed = data.draw(st.booleans())
        was = put(was, path, ... if removed else ["drifted"] if isinstance(old, list) else f"drifted {old}")
    now = was
    for path, old in drifted:
        if data.draw(st.booleans()):
            now = put(now, path, old)
    assert decided(want, was["spec"], now["spec"], offline=offline).allowed


@given(specs, st.data(), st.booleans())
def test_a_leaf_of_want_may_not_leave_it(want: Any, data: st.DataObject, offline: bool) -> None:
    path, old = data.draw(st.sampled_from(leaves(want)))
    removed = data.draw(st.booleans())
    now = put(thing(want), path, ... if removed else ["drifted"] if isinstance(old, list) else f"drifted {old}")
    assert decided(want, want, now["spec"], offline=offline).code == "drift"


@given(specs, specs)
def test_from_want_the_verdict_is_that_of_the_report(want: Any, now: Any) -> None:
    decision = decided(want, want, now)
    changes = compare(form(want), thing(now)).changes
    assert decision.allowed is not bool(changes)
    # Of a set, one item instead of another is one change to people, and to whoever is refused an extra and a lack.
    judged, reported = {cause.pointer for cause in decision.causes}, {change.path for change in changes}
    assert {_by_set(path) for path in judged} == {_by_set(path) for path in reported}


def _by_set(path: str) -> str:
    return "/spec/tags" if path.startswith("/spec/tags/") else path


@given(specs, specs)
def test_a_creation_is_judged_like_the_report(want: Any, now: Any) -> None:
    assert decided(want, None, now).allowed is not bool(compare(form(want), thing(now)).changes)


@given(specs, specs, specs)
def test_an_admitted_change_leaves_no_new_drift(want: Any, was: Any, now: Any) -> None:
    """Every drift after an admitted change was there before, at the same place or around it."""
    if not decided(want, was, now).allowed:
        return
    before = {change.place for change in compare(form(want), thing(was)).changes}
    for change in compare(form(want), thing(now)).changes:
        assert any(
            change.place[: len(place)] == place or place[: len(change.place)] == change.place for place in before
        )


@given(specs, st.sampled_from(["a", "zone", "new"]), st.data())
def test_the_container_that_comes_with_a_leaf_changes_no_verdict(want: Any, key: str, data: st.DataObject) -> None:
    free = data.draw(st.booleans())
    name = "note" if free else "setscrew.dev/x"
    bare = thing(want)
    empty = copy.deepcopy(bare)
    empty["metadata"]["annotations"] = {}
    full = copy.deepcopy(bare)
    full["metadata"]["annotations"] = {name: key}
    answers = [_metadata_decided(want, old, full).allowed for old in (bare, empty)]
    assert answers == [free, free]


def _metadata_decided(want: Any, old: Any, new: Any) -> Decision:
    rules = Rules((), steering=(SteeringRule("setscrew.dev/*", "steers Setscrew"),))
    held = MemorySnapshot((Entry(form(want), Policy("default")),), rules)
    place = (KIND.group, KIND.version, KIND.resource, KIND.kind)
    return decide(Request("1", *place, "UPDATE", ALICE, REF.namespace, REF.name, objects=Trees(new, old)), held, 0.0)
