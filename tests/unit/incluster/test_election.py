"""Who leads, by the Lease and one's own clock. The API server is a fake, so that requests can be lost and late."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.limits import LEASE_DEADLINE_SECONDS, LEASE_SECONDS, LEASE_SECONDS_MOST
from setscrew.incluster import election as module
from setscrew.incluster.election import Election
from tests.support.fake_lease import FakeLease
from tests.support.waiting import eventually

WALL = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Replica:
    lease: FakeLease
    name: str
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        client: Any = self.lease
        self.election = Election(client, self.name, self.said.append, self.clock, lambda: WALL)

    def turn(self, after: float = 0.0) -> bool:
        self.clock.now += after
        self.election._turn()
        return self.election.leads


def test_the_first_that_comes_leads_and_the_second_waits() -> None:
    lease = FakeLease()
    one, two = Replica(lease, "one"), Replica(lease, "two")
    assert one.turn()
    assert not two.turn()
    assert lease.holder == two.election.holder == "one"
    assert lease.tree is not None
    assert lease.tree["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": "2026-03-01T00:00:00.000000Z",
        "renewTime": "2026-03-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }


def test_a_dead_leaders_lease_is_taken_once_it_has_stood_still_for_its_whole_length() -> None:
    lease = FakeLease()
    assert Replica(lease, "one").turn()
    two = Replica(lease, "two", Clock(5.0))
    assert not two.turn()
    assert not two.turn(LEASE_SECONDS - 0.5)
    assert two.turn(1.0)
    assert lease.tree is not None
    assert lease.tree["spec"]["leaseTransitions"] == 1


def test_a_leader_that_renews_keeps_it_whatever_its_clock_on_the_wall_says() -> None:
    """`renewTime` is the same text each time here: then only the time in which nothing came counts, so it changes."""
    lease = FakeLease()
    one, two = Replica(lease, "one"), Replica(lease, "two")
    walls = iter(datetime(1970, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(60))
    one.election.wall = lambda: next(walls)
    assert one.turn()
    for _ in range(20):
        assert one.turn(2.0)
        assert not two.turn(2.0)


def test_a_leader_stops_before_another_can_take_the_lease() -> None:
    assert LEASE_DEADLINE_SECONDS < LEASE_SECONDS
    lease = FakeLease()
    one = Replica(lease, "one")
    assert one.turn()
    one.clock.now += LEASE_DEADLINE_SECONDS - 0.1
    assert one.election.leads
    one.clock.now += 0.2
    assert not one.election.leads


def test_the_time_of_a_slow_renewal_counts_from_when_it_was_sent() -> None:
    lease = FakeLease()
    one = Replica(lease, "one")
    assert one.turn()

    def slow(_: str) -> None:
        one.clock.now += 4.0

    lease.before = slow
    assert one.turn(1.0)
    lease.before = lambda _: None
    one.clock.now += LEASE_DEADLINE_SECONDS - 4.0 + 0.1
    assert not one.election.leads


def test_a_renewal_whose_answer_is_lost_does_not_count_and_the_next_one_goes_on() -> None:
    lease = FakeLease()
    one = Replica(lease, "one")
    assert one.turn()

    def lost(method: str) -> None:
        if method == "PUT":
            raise UnreachableError("no answer in time")

    lease.after = lost
    assert one.turn(2.0)
    one.clock.now += LEASE_DEADLINE_SECONDS - 2.0
    assert not one.election.leads
    one.clock.now -= LEASE_DEADLINE_SECONDS - 2.0
    lease.after = lambda _: None
    assert one.turn(1.0)
    assert [line for line in one.said if "no answer in time" in line]


def test_a_lease_that_another_has_taken_ends_the_lead_at_once() -> None:
    lease = FakeLease()
    one = Replica(lease, "one")
    assert one.turn()
    assert lease.tree is not None
    lease.tree["spec"]["holderIdentity"] = "two"
    lease.tree["metadata"]["resourceVersion"] = "other"
    one.turn(2.0)
    assert not one.turn(0.1)
    assert lease.holder == "two"


def test_a_lease_that_somebody_wrote_for_years_is_waited_for_a_minute_at_most() -> None:
    lease = FakeLease()
    assert Replica(lease, "one").turn()
    assert lease.tree is not None
    lease.tree["spec"]["leaseDurationSeconds"] = 10**9
    two = Replica(lease, "two")
    assert not two.turn()
    assert not two.turn(LEASE_SECONDS_MOST - 1)
    assert two.turn(2)


def test_an_annotation_on_the_lease_prolongs_it_for_nobody() -> None:
    lease = FakeLease()
    assert Replica(lease, "one").turn()
    two = Replica(lease, "two")
    assert not two.turn()
    assert lease.tree is not None
    for number in range(4):
        lease.tree["metadata"] |= {"annotations": {"touched": str(number)}, "resourceVersion": f"x{number}"}
        two.turn(LEASE_SECONDS / 4 + 0.1)
    assert two.election.leads
    assert lease.tree["metadata"]["annotations"] == {"touched": "3"}


def test_resigning_lets_another_lead_at_once_and_writes_of_the_leader_are_refused_from_then_on() -> None:
    lease = FakeLease()
    one, two = Replica(lease, "one"), Replica(lease, "two")
    assert one.turn()
    assert not two.turn()
    with one.election.writing():
        pass
    one.election.resign()
    assert not one.election.leads
    with pytest.raises(ClusterError, match="does not lead any more") as refused, one.election.writing():
        pass
    assert refused.value.code == "SS4012"
    assert two.turn()


def test_the_lease_is_given_back_once_however_often_it_is_asked_for() -> None:
    lease = FakeLease()
    one, two = Replica(lease, "one"), Replica(lease, "two")
    assert one.turn()
    one.election.resign()
    assert two.turn()
    one.election.resign()
    assert one.said == ["the lease is given back: another replica may lead"]
    assert lease.holder == "two"


def test_a_lease_is_not_given_back_while_a_write_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESIGN_SECONDS", 0.05)
    lease = FakeLease()
    one = Replica(lease, "one")
    assert one.turn()
    with one.election.writing():
        one.election.resign()
    assert lease.holder == "one"


def test_a_follower_that_resigns_writes_nothing() -> None:
    lease = FakeLease()
    assert Replica(lease, "one").turn()
    two = Replica(lease, "two")
    two.turn()
    two.election.resign()
    assert lease.writes == ["one"]


@pytest.mark.parametrize("error", [UnreachableError("away"), ApiError("no right", status=403)])
def test_why_the_lease_cannot_be_had_is_said_once(error: ClusterError) -> None:
    def refuse(_: str) -> None:
        raise error

    lease = FakeLease(before=refuse)
    one = Replica(lease, "one")
    assert not any(one.turn(1.0) for _ in range(5))
    assert len(one.said) == 1
    assert error.message in one.said[0]


def test_losing_the_lease_is_told_once_even_while_a_renewal_hangs() -> None:
    lease, lost, hanging = FakeLease(), list[int](), threading.Event()
    one = Replica(lease, "one")
    assert one.turn()
    lease.before = lambda _: hanging.wait(30) and None
    try:
        one.election.keep(lambda: lost.append(1))
        one.clock.now += LEASE_DEADLINE_SECONDS
        eventually(lambda: lost, "the loss is told")
    finally:
        hanging.set()
    one.election.resign()
    assert lost == [1]


def test_a_campaign_ends_with_its_process() -> None:
    lease = FakeLease()
    assert Replica(lease, "one").turn()
    stop = threading.Event()
    stop.set()
    assert not Replica(lease, "two").election.campaign(stop)
    assert Replica(FakeLease(), "three").election.campaign(threading.Event())
