"""Laws of grants: only one in force admits, and a further one admits nothing that one before it has refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.path import pattern
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Policy, Rules, Subject
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.property.strategies import KIND, REF, form, leaves, specs, thing
from webhook.decision.decide import decide
from webhook.decision.granted import scope_path
from webhook.decision.types import Decision, Identity, Request, Trees

pytestmark = pytest.mark.property
NOW = 1000.0
ALICE = Identity("alice", ("on-call",))


@st.composite
def grants(draw: st.DrawFn, want: Any) -> Grant:
    """A grant that may or may not hold, name Alice, or cover what changes."""
    places = [pattern(path) for path, _ in leaves(want)] + ["/spec", "/metadata", "/spec/nowhere", "/spec/*"]
    start, end = sorted(
        draw(st.tuples(st.sampled_from([0.0, 999.0, 1001.0]), st.sampled_from([1000.0, 1001.0, 5000.0])))
    )
    return Grant(
        id=draw(st.sampled_from(["a", "b", "c"])),
        subjects=(draw(st.sampled_from([Subject(user="alice"), Subject(group="on-call"), Subject(user="bob")])),),
        scope=Scope(
            refs=draw(st.sampled_from([(), (str(REF),), ("ConfigMap a/b",)])),
            paths=tuple(draw(st.lists(st.sampled_from(places), max_size=3))),
        ),
        reason="a law",
        not_before=start,
        not_after=end,
        approver=draw(st.sampled_from(["lena", "alice"])),
        revoked=draw(st.sampled_from([0.0, 0.0, 999.0, 1001.0])),
    )


def decided(want: Any, was: Any, now: Any, held: Sequence[Grant]) -> Decision:
    snapshot = MemorySnapshot((Entry(form(want), Policy("default")),), Rules(()))
    names = {"group": KIND.group, "version": KIND.version, "resource": KIND.resource, "kind": KIND.kind}
    place = {"namespace": REF.namespace, "name": REF.name}
    request = Request("1", operation="UPDATE", identity=ALICE, objects=Trees(thing(now), thing(was)), **names, **place)
    return decide(request, snapshot, NOW, grants=held)


@given(specs, specs, specs, st.data())
def test_more_grants_admit_nothing_that_one_of_them_refuses(want: Any, was: Any, now: Any, data: st.DataObject) -> None:
    """Only the strictest rule makes of a grant that is added a refusal."""
    held = data.draw(st.lists(grants(want), min_size=1, max_size=3))
    together = decided(want, was, now, held)
    alone = [decided(want, was, now, [one]) for one in held]
    bare = decided(want, was, now, ())
    if bare.allowed:
        assert together == bare
        return
    naming = [one for one in alone if one != bare or one.allowed]
    if together.allowed:
        assert naming
        assert all(one.code == "granted" for one in naming)
        assert together.grant in {one.grant for one in naming}
    elif naming:
        refusing = [one for one, answer in zip(held, alone, strict=True) if not answer.allowed]
        assert any(one.holds(NOW) and one.scope.paths for one in refusing)
    else:
        assert together == bare


@given(specs, specs, specs, st.data())
def test_a_grant_that_does_not_hold_changes_nothing(want: Any, was: Any, now: Any, data: st.DataObject) -> None:
    held = data.draw(st.lists(grants(want), max_size=3))
    assert decided(want, was, now, held) == decided(want, was, now, [one for one in held if one.holds(NOW)])


@given(specs, specs, specs, st.data())
def test_the_order_of_grants_means_nothing(want: Any, was: Any, now: Any, data: st.DataObject) -> None:
    held = data.draw(st.lists(grants(want), max_size=3, unique_by=lambda one: one.id))
    assert decided(want, was, now, held) == decided(want, was, now, data.draw(st.permutations(held)))


@given(specs, specs, specs, st.data())
def test_a_grant_for_the_paths_of_a_denial_permits_it(want: Any, was: Any, now: Any, data: st.DataObject) -> None:
    refused = decided(want, was, now, ())
    if refused.allowed:
        return
    documents = (form(want).want, thing(was), thing(now))
    paths = tuple(scope_path(cause.path, documents) for cause in refused.causes)
    one = Grant("a", (Subject(user="alice"),), Scope((str(REF),), paths=paths), "a law", 5000.0)
    assert decided(want, was, now, [one]).code == "granted"
    left_out = data.draw(st.sampled_from(paths))
    kept = tuple(path for path in paths if not f"{left_out}/".startswith(f"{path}/"))
    less = Grant("a", one.subjects, Scope((str(REF),), paths=(*kept, "/nowhere")), "a law", 5000.0)
    assert not decided(want, was, now, [less]).allowed
