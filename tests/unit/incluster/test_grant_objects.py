"""Holds what DriftGrant objects grant: the same in every replica, whenever it reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.limits import GRANTS_IN_FORCE
from reconciler.policy.grant import Grant
from reconciler.policy.model import GrantRules
from reconciler.store.grants import add_grant, mirror_grants, read_grants
from reconciler.store.state import State
from setscrew.grants import CLUSTER
from setscrew.incluster.grant_objects import grants_of, revoked_since
from setscrew.incluster.statuses import grant_status
from setscrew.store import open_store

MADE = datetime(2026, 11, 22, 4, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


def tree(name: str = "night", made: str = "2026-11-22T04:00:00Z", **spec: Any) -> dict[str, Any]:
    base = {"subjects": [{"user": "dana"}], "scope": {"kinds": ["*"]}, "reason": "fire", "approver": "lena"}
    whole = {**base, **({} if "notAfter" in spec else {"duration": "1h"}), **spec}
    return {
        "kind": "DriftGrant",
        "metadata": {"name": name, "creationTimestamp": made, "uid": f"u-{name}"},
        "spec": whole,
    }


def one(now: float = MADE, **spec: Any) -> Grant:
    found = grants_of([tree(**spec)], GrantRules(), now)
    assert found.faults == {}
    return found.grants["night"]


@pytest.mark.parametrize("late", [0.0, 0.5 * HOUR, 5 * HOUR])
def test_a_duration_begins_when_the_object_was_made_not_when_it_was_read(late: float) -> None:
    grant = one(MADE + late)
    assert (grant.not_before, grant.not_after) == (MADE, MADE + HOUR)
    assert grant.holds(MADE + late) is (late < HOUR)


def test_a_revoked_object_grants_nothing_from_the_beginning() -> None:
    grant = one(revoked="rolled back")
    assert not grant.holds(MADE + 1)
    assert grant.revoked_for == "rolled back"


def test_since_when_it_is_revoked_stays_as_its_status_says() -> None:
    grant = one(revoked="rolled back")
    first = revoked_since(grant, {}, MADE + 60)
    status, _ = grant_status(first, None, MADE + 60)
    assert status["revoked"] == "2026-11-22T04:01:00Z"
    assert revoked_since(grant, status, MADE + 600) == first


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"approver": "dana"}, "is a subject of the grant"),
        ({"notAfter": "2026-11-22T13:00:00Z"}, "at most 8 hours"),
        ({"notAfter": "2026-11-22T03:00:00Z"}, "in the past"),
        ({"scope": {"paths": ["$.["]}}, "paths"),
    ],
)
def test_one_that_is_not_allowed_is_none_and_stops_no_other(spec: dict[str, Any], says: str) -> None:
    found = grants_of([tree(**spec), tree("other")], GrantRules(), MADE)
    assert list(found.grants) == ["other"]
    assert (found.faults["night"].reason, says in found.faults["night"].message) == ("Invalid", True)


def test_of_too_many_the_oldest_count_and_those_that_have_ended_do_not() -> None:
    many = [tree(f"g-{i:03}", "2026-11-22T04:00:01Z") for i in range(GRANTS_IN_FORCE)]
    trees = [
        tree("newest", "2026-11-22T04:00:02Z"),
        *many,
        tree("ended", "2026-11-22T01:00:00Z"),
        tree("over", revoked="x"),
    ]
    found = grants_of(trees, GrantRules(), MADE + 5)
    assert list(found.faults) == ["newest"]
    assert found.faults["newest"].reason == "TooMany"
    assert len(found.grants) == GRANTS_IN_FORCE + 2


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_store(tmp_path)


def mirrored(state: State, *trees: Any, now: float = MADE) -> bool:
    return mirror_grants(state, grants_of(trees, GrantRules(), now).grants, CLUSTER, now)


def holding(state: State, now: float) -> list[Grant]:
    return [grant for grant in read_grants(state) if grant.holds(now)]


def test_the_store_holds_just_what_the_objects_say(state: State) -> None:
    assert mirrored(state, tree(), tree("other"))
    assert not mirrored(state, tree(), tree("other"))
    assert mirrored(state, tree("other"), now=MADE + 9)
    assert not mirrored(state, tree("other"), now=MADE + 10)
    held = {grant.id: grant for grant in read_grants(state)}
    assert (held["night"].revoked, held["night"].revoked_for) == (MADE + 9, "its object is gone")
    assert [grant.id for grant in holding(state, MADE + 10)] == ["other"]


def test_one_that_comes_back_under_its_name_is_another_and_the_first_stays_on_record(state: State) -> None:
    mirrored(state, tree())
    mirrored(state, now=MADE + 1)
    mirrored(state, tree(made="2026-11-22T04:10:00Z", approver="otto"), now=MADE + 601)
    newest, first = read_grants(state)
    assert (newest.id, newest.revoked, newest.approver, newest.not_before) == ("night", 0.0, "otto", MADE + 600)
    assert (first.id, first.revoked, first.approver) == ("night", MADE + 1, "lena")


def test_one_that_is_read_again_after_it_was_gone_holds_again(state: State) -> None:
    mirrored(state, tree())
    mirrored(state, now=MADE + 1)
    assert mirrored(state, tree(), now=MADE + 2)
    assert [grant.id for grant in holding(state, MADE + 2)] == ["night"]


def test_one_that_ends_sooner_does_so_at_once(state: State) -> None:
    mirrored(state, tree(notAfter="2026-11-22T06:00:00Z"))
    mirrored(state, tree(notAfter="2026-11-22T04:30:00Z"), now=MADE + 60)
    assert holding(state, MADE + 1801) == []
    (held,) = holding(state, MADE + 61)
    assert held.not_after == MADE + 1800


def test_since_when_it_is_revoked_is_remembered(state: State) -> None:
    mirrored(state, tree())
    assert mirrored(state, tree(revoked="done"), now=MADE + 60)
    assert not mirrored(state, tree(revoked="done"), now=MADE + 120)
    (held,) = read_grants(state)
    assert (held.revoked, held.revoked_by, held.revoked_for) == (MADE + 60, CLUSTER, "done")


def test_grants_of_this_machine_stay_as_they_are(state: State) -> None:
    local = Grant("night", one().subjects, one().scope, "by hand", MADE + HOUR, MADE, "lena", "root", created=MADE)
    add_grant(state, local, "{}", MADE)
    assert mirrored(state, tree())
    assert mirrored(state, now=MADE + 1)
    assert holding(state, MADE + 2) == [local]
