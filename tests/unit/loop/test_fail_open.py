"""Spans of what failed open: when, how many, whose; with several API servers, restarts, an audit log beside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.cluster.fail_open import Count
from reconciler.loop.fail_open import FailOpen
from reconciler.loop.slipped import concerns
from reconciler.model.blind import Blind, BlindCause, Slipped
from reconciler.report.audit_event import AuditEvent
from tests.support.small_snapshot import snapshot_of

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
APPS, CORE = "apps-v1.guard.setscrew.dev", "core-v1.guard.setscrew.dev"
OLD = (NOON - timedelta(days=1)).timestamp()
WRITE = Slipped("a", "", "dana", "patch", "apps", "deployments", "shop", "one", "", APPS, 200)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class Log:
    """Stands for a BlindLog."""

    begun: list[Blind] = field(default_factory=list)
    ended: list[datetime] = field(default_factory=list)

    def begin(self, blind: Blind) -> None:
        self.begun.append(blind)

    def end(self, cause: BlindCause, until: datetime) -> None:
        assert cause == "fail-open"
        self.ended.append(until)

    @property
    def told(self) -> list[tuple[datetime, tuple[str, ...], int | None]]:
        return [(one.since, one.entries, one.writes) for one in self.begun]


@dataclass
class Look:
    """Looks at API servers, whose counts a test gives."""

    log: Log = field(default_factory=Log)
    own: Counter[str] = field(default_factory=Counter)
    watch: FailOpen = field(init=False)

    def __post_init__(self) -> None:
        self.watch = FailOpen(self.log, self.take)

    def take(self) -> Counter[str]:
        own, self.own = self.own, Counter()
        return own

    def __call__(self, seconds: float, started: float = OLD, *, audited: bool = False, **calls: int) -> None:
        names = {"apps": APPS, "core": CORE}
        self.watch.counted(Count(started, {names[key]: n for key, n in calls.items()}), at(seconds), audited=audited)
        self.watch.quiet(at(seconds), 15)


@pytest.fixture
def look() -> Look:
    return Look()


def event(seconds: float, *entries: str, stored: bool = True) -> AuditEvent:
    return AuditEvent(at(seconds), at(seconds + 0.5), entries or (APPS,), stored, WRITE)


def test_what_was_counted_before_anybody_looked_is_no_span(look: Look) -> None:
    look(0, apps=7)
    look(10, apps=7)
    assert look.log.told == []


def test_what_came_between_two_looks_is_a_span_of_that_time(look: Look) -> None:
    look(0, apps=7)
    look(10, apps=9, core=1)
    look(20, apps=9, core=1)
    look(30, apps=9, core=1)
    assert look.log.told == [(NOON, (APPS, CORE), 3)]
    assert look.log.ended == [at(10)]
    assert look.watch.totals == {APPS: 2, CORE: 1}


def test_calls_of_the_canary_are_writes_of_nobody(look: Look) -> None:
    look(0)
    look.own = Counter({APPS: 2})
    look(10, apps=2)
    assert look.log.told == []
    look.own = Counter({APPS: 1})
    look(20, apps=6)
    assert look.log.told == [(at(10), (APPS,), 3)]


def test_what_another_server_admitted_takes_nothing_from_later_counts(look: Look) -> None:
    look(0)
    look.own = Counter({APPS: 5})
    look(10)
    look(20, apps=2)
    assert look.log.told == [(at(10), (APPS,), 2)]


def test_an_api_server_that_began_again_counts_from_nothing(look: Look) -> None:
    look(0, apps=100)
    look(10, started=at(5).timestamp(), apps=2)
    assert look.log.told == [(at(5), (APPS,), 2)]


def test_several_api_servers_behind_one_address_are_told_apart(look: Look) -> None:
    look(0, apps=5)
    look(10, started=OLD + 1, apps=900)
    look(20, apps=5)
    look(30, started=OLD + 1, apps=901)
    assert look.log.told == [(at(10), (APPS,), 1)]


def test_a_restart_goes_on_from_the_last_look_of_the_process_before(look: Look) -> None:
    look(0, apps=5)
    again = Look()
    again.watch.restore(look.watch.as_json(), at(3600))
    again(3600, apps=8)
    assert again.log.told == [(NOON, (APPS,), 3)]
    assert again.watch.totals == {APPS: 3}


def test_a_span_that_was_open_at_a_restart_ends_when_nothing_more_comes(look: Look) -> None:
    look.watch.restore({}, NOON)
    look(0)
    assert look.log.ended == []
    look(20)
    assert look.log.ended == [NOON]


def test_the_audit_log_gives_moments_and_writes_and_the_counters_add_nothing(look: Look) -> None:
    look(0, audited=True)
    look.watch.named([event(3), event(4), event(5, stored=False)])
    look(10, audited=True, apps=3)
    look(20, audited=True, apps=3)
    look(30, audited=True, apps=3)
    assert look.log.told == [(at(3), (APPS,), 2)]
    assert look.log.ended == [at(10)]
    assert look.watch.totals == {APPS: 3}


def test_what_the_audit_log_does_not_name_is_told_after_one_more_look(look: Look) -> None:
    look(0, audited=True)
    look(10, audited=True, apps=5)
    look.watch.named([event(9), event(9)])
    assert [one.writes for one in look.log.begun] == [2]
    look(20, audited=True, apps=5)
    assert look.log.told[1] == (NOON, (APPS,), 3)
    look(30, audited=True, apps=5)
    assert len(look.log.begun) == 2


def test_what_was_named_before_it_was_counted_is_not_counted_again(look: Look) -> None:
    look(0, audited=True)
    look(5, started=OLD + 1, audited=True)
    look.watch.named([event(6), event(7)])
    look(10, started=OLD + 1, audited=True)
    look(20, audited=True, apps=2)
    look(30, audited=True, apps=2)
    assert [one.writes for one in look.log.begun] == [2]


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({}, True),
        ({"name": "other"}, False),
        ({"namespace": "elsewhere"}, False),
        ({"verb": "deletecollection", "name": ""}, True),
        ({"verb": "deletecollection", "name": "", "namespace": ""}, True),
        ({"verb": "deletecollection", "name": "", "namespace": "elsewhere"}, False),
        ({"subresource": "scale"}, True),
        ({"group": "", "resource": "namespaces", "namespace": "shop", "name": "shop"}, True),
        ({"group": "", "resource": "namespaces", "namespace": "other", "name": "other"}, False),
        ({"group": "resource.k8s.io", "resource": "deviceclasses", "namespace": ""}, True),
        ({"group": "setscrew.dev", "resource": "driftgrants", "namespace": "", "name": "any"}, True),
        (
            {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions", "name": "deployments.apps"},
            True,
        ),
        ({"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions", "name": "x.apps"}, False),
        ({"group": "apiregistration.k8s.io", "resource": "apiservices", "name": "v1.apps"}, True),
        ({"group": "apiregistration.k8s.io", "resource": "apiservices", "name": "v1.batch"}, False),
    ],
)
def test_a_write_concerns_the_guard_by_its_object_or_by_what_that_holds(
    change: dict[str, str], concerned: bool
) -> None:
    assert concerns(snapshot_of("Deployment", "DeviceClass"), replace(WRITE, **change)) is concerned  # type: ignore[arg-type]
