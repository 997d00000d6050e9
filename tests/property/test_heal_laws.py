"""Laws of healing: it ends as Git says, touches nothing else, asks first, and needs no right that others lack."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compare.comparison import compare
from reconciler.heal.backoff import Backoff, wait_after
from reconciler.heal.fight import Fight
from reconciler.heal.order import turn
from reconciler.limits import HEAL_FIGHT_SECONDS, HEAL_FIGHTS
from reconciler.loop.correcting import Healer
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.property.strategies import TYPES, form, specs, thing
from tests.property.test_decision_laws import decided
from tests.support.fake_objects import FakeObjects

pytestmark = pytest.mark.property


def healed(want: Any, live: Any) -> FakeObjects:
    """The cluster after one correction of `live` (None: the object is gone)."""
    cluster = FakeObjects(None if live is None else thing(copy.deepcopy(live)), TYPES)
    entry = Entry(form(want), Policy("default", heal="Auto"))
    outcome = Healer(cluster, cluster).correct(  # type: ignore[arg-type]
        entry, RenderedObject(thing(want), Provenance("shop", "rev")), MemorySnapshot((entry,), Rules(()))
    )
    assert (outcome.failed, outcome.barred) == ("", "")
    return cluster


@given(specs, st.one_of(st.none(), specs))
def test_whatever_is_there_ends_as_git_says(want: Any, live: Any) -> None:
    assert compare(form(want), healed(want, live).live).changes == ()


@given(specs, specs)
def test_what_is_as_git_says_is_not_written(want: Any, live: Any) -> None:
    cluster = healed(want, live)
    differed = bool(compare(form(want), thing(live)).changes)
    assert len(cluster.real) == differed


@given(specs, specs)
def test_each_write_was_asked_by_a_dry_run_of_the_very_request(want: Any, live: Any) -> None:
    for asked, one in pairwise([None, *healed(want, live).written]):
        if one is not None and not one.dry:
            assert asked is not None
            assert asked.dry
            assert (asked.method, asked.body) == (one.method, one.body)


@given(specs, st.one_of(st.none(), specs))
def test_the_guard_admits_each_write_of_somebody_whom_no_policy_names(want: Any, live: Any) -> None:
    for one in healed(want, live).real:
        was = None if one.before is None else one.before["spec"]
        assert decided(want, was, one.after["spec"]).allowed


@given(specs, st.dictionaries(st.sampled_from(["note", "team"]), st.text("ab", max_size=3), min_size=1))
def test_labels_that_git_does_not_declare_stay(want: Any, labels: dict[str, str]) -> None:
    cluster = FakeObjects(
        {**thing({"a": {"other": 1}}), "metadata": {**thing({})["metadata"], "labels": labels}}, TYPES
    )
    entry = Entry(form(want), Policy("default", heal="Auto"))
    Healer(cluster, cluster).correct(entry, None, MemorySnapshot((entry,), Rules(())))  # type: ignore[arg-type]
    assert cluster.live is not None
    assert cluster.live["metadata"]["labels"] == labels


@given(specs, specs)
def test_an_apply_says_no_value_that_git_does_not(want: Any, live: Any) -> None:
    for one in healed(want, live).written:
        if one.content_type == "application/apply-patch+yaml":
            assert [
                change.op for change in compare(form(want), {**one.body, "metadata": {}}).changes if change.op == "add"
            ] == []


_STEPS = st.lists(st.tuples(st.sampled_from(["drift", "sync", "try"]), st.floats(0, 400)), max_size=40)


@given(_STEPS)
def test_nothing_is_due_before_its_wait_is_over_and_no_wait_is_longer_than_the_longest(steps: Any) -> None:
    now, last, backoff = 0.0, None, Backoff()
    for what, passed in steps:
        now += passed
        if what == "drift":
            backoff = backoff.drifted(now, "r1")
        elif what == "sync":
            backoff = backoff.in_sync(now)
        elif backoff.due <= now:
            backoff, last = backoff.tried(now), now
            assert backoff.due == last + wait_after(backoff.tries)
        assert backoff.due <= (last or 0.0) + 300 or last is None


@given(st.lists(st.floats(0, 300), min_size=1, max_size=30))
def test_a_fight_is_five_corrections_within_ten_minutes_and_nothing_else(gaps: list[float]) -> None:
    now, times, fight = 0.0, [], Fight()
    for gap in gaps:
        now += gap
        times.append(now)
        fight = fight.corrected(now, "hpa")
        assert fight.on(now) is (sum(now - one < HEAL_FIGHT_SECONDS for one in times) >= HEAL_FIGHTS)


_KINDS = st.sampled_from(
    ["Namespace", "CustomResourceDefinition", "Role", "RoleBinding", "ConfigMap", "Deployment", "Ingress", "Widget"]
)


@given(st.lists(_KINDS, max_size=12))
def test_what_only_goes_comes_last_and_in_reverse(kinds: list[str]) -> None:
    refs = [ObjectRef("", kind, "", "one") for kind in kinds]
    put, away = (sorted(refs, key=lambda ref: turn(ref, takes_away=takes)[:2]) for takes in (False, True))
    assert [ref.kind for ref in put] == [ref.kind for ref in reversed(away)] or len(set(kinds)) < len(kinds)
    assert max((turn(ref) for ref in refs), default=(0,)) < min(
        (turn(ref, takes_away=True) for ref in refs), default=(1,)
    )
