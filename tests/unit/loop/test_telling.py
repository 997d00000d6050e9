"""What is found, refused or broken is told once an hour, in a thread of its own, and never without end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

import reconciler.loop.telling as module
from reconciler.errors import StoreError
from reconciler.limits import EVENT_NAMED_SECONDS, EVENT_SECONDS
from reconciler.loop.telling import Telling
from reconciler.policy.model import Rules
from reconciler.report.drift import Attribution, DriftItem
from reconciler.report.event import ClusterEvent
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.decisions import record
from reconciler.store.findings import put_findings
from reconciler.store.renaming import rename_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.totals import read_totals

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING = MemorySnapshot((), Rules(()))
ITEM = DriftItem(
    *("i", "f", "apps/v1", "Deployment", "shop", "web", "drifted"),
    first_seen="2030-01-02T03:04:05Z",
    uid="u",
    attribution=Attribution("kubectl", user="dana", confidence="admission"),
)
NAMELESS = replace(ITEM, attribution=Attribution("kubectl", confidence="managedFields"))


@dataclass
class Sink:
    """Stands for EventSink: keeps what it is given."""

    sent: list[tuple[ClusterEvent, int]] = field(default_factory=list)

    def send(self, event: ClusterEvent, count: int, at: datetime) -> None:  # noqa: ARG002 - EventSink's
        self.sent.append((event, count))


@dataclass
class World:
    """A telling over a real store, with a clock that a test turns."""

    state: State
    sink: Sink = field(default_factory=Sink)
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """As a process begins."""
        now = lambda: NOW + timedelta(seconds=self.seconds)  # noqa: E731 - a clock
        self.telling = Telling(self.state, self.sink, self.said.append, now, lambda: self.seconds)  # type: ignore[arg-type]

    def store(self, *items: DriftItem) -> None:
        """What a pass or a watch event does."""
        put_findings(self.state, [replace(item, last_seen="2030-01-02T04:00:00Z") for item in items])
        self.telling.told(items, NOTHING, NOW)

    def told(self) -> list[tuple[str, int]]:
        """Reasons and counts of what is written from the last call on."""
        self.telling.look()
        before = len(self.sink.sent)
        for _ in range(50):
            self.telling.send()
        return [(event.reason, count) for event, count in self.sink.sent[before:]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    state = open_state(sqlite_url(tmp_path / "state.db"))
    yield World(state)
    state.close()


def decide(world: World, **more: object) -> None:
    told = {"time": "t", "code": "drift", "allowed": False, "would": "", "user": "dana", "operation": "UPDATE"}
    told |= {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
    record(world.state, json.dumps(told | more).encode())


def test_a_finding_is_told_once_and_its_end_at_the_same_object(world: World) -> None:
    world.store(ITEM)
    assert world.told() == [("DriftDetected", 1)]
    world.store(ITEM)
    assert world.told() == []
    world.store(replace(ITEM, state="in-sync"))
    assert world.told() == [("DriftResolved", 1)]
    assert {event.regarding.uid for event, _ in world.sink.sent} == {"u"}


def test_drift_that_is_seen_before_the_record_of_who_wrote_it_is_told_with_the_name(world: World) -> None:
    world.store(NAMELESS)
    assert world.told() == []
    rename_findings(world.state, [replace(ITEM, last_seen="2030-01-02T04:00:00Z", occurrences=1)])
    world.seconds = EVENT_NAMED_SECONDS
    assert world.told() == [("DriftDetected", 1)]
    assert "dana (admission)" in world.sink.sent[0][0].note
    world.store(ITEM)
    assert world.told() == []


def test_drift_that_the_next_look_can_name_waits_no_longer(world: World) -> None:
    world.store(NAMELESS)
    world.store(ITEM)
    assert world.told() == [("DriftDetected", 1)]
    world.seconds = EVENT_NAMED_SECONDS
    assert world.told() == []


def test_drift_that_nobody_can_name_is_told_all_the_same(world: World) -> None:
    world.store(NAMELESS)
    world.seconds = EVENT_NAMED_SECONDS
    assert world.told() == [("DriftDetected", 1)]
    assert "last written by kubectl (managedFields)" in world.sink.sent[0][0].note


def test_drift_that_is_over_before_it_has_a_name_is_told_first(world: World) -> None:
    world.store(NAMELESS)
    world.store(replace(NAMELESS, state="in-sync"))
    assert world.told() == [("DriftDetected", 1), ("DriftResolved", 1)]


def test_another_difference_of_the_same_object_is_told_anew(world: World) -> None:
    world.store(ITEM)
    world.store(replace(ITEM, fingerprint="g"))
    assert world.told() == [("DriftDetected", 1)] * 2


def test_what_lasts_is_told_once_an_hour(world: World) -> None:
    world.store(ITEM)
    assert world.told() == [("DriftDetected", 1)]
    world.seconds = EVENT_SECONDS - 1
    world.told()
    world.store(ITEM)
    assert world.told() == []
    world.seconds = EVENT_SECONDS
    world.told()
    world.store(ITEM)
    assert world.told() == [("DriftDetected", 1)]


def test_of_what_nobody_knows_nothing_is_told(world: World) -> None:
    world.store(ITEM)
    world.told()
    world.store(replace(ITEM, state="unknown", fingerprint="u"), replace(ITEM, id="j", state="unknown"))
    world.store(ITEM)
    assert world.told() == []


def test_refused_and_admitted_changes_are_told_from_now_on_and_repeats_as_a_series(world: World) -> None:
    decide(world)
    assert world.told() == []
    decide(world)
    decide(world, allowed=True, code="granted", would="drift", grant="g-1")
    decide(world, allowed=True, code="audited", would="drift")
    decide(world, allowed=True, code="conforms")
    reasons = ["OutOfBandChangeDenied", "BreakGlassUsed", "OutOfBandChangeAllowed"]
    assert world.told() == [(reason, 1) for reason in reasons]
    for _ in range(7):
        decide(world)
    assert world.told() == []
    world.seconds = EVENT_SECONDS
    assert world.told() == [("OutOfBandChangeDenied", 7)]
    world.seconds = 2 * EVENT_SECONDS
    assert world.told() == []


def test_a_source_is_told_when_it_changes_and_at_the_start_only_where_it_is_broken(world: World) -> None:
    save_source(world.state, SourceStatus("shop", "Ready"), "t")
    save_source(world.state, SourceStatus("gpu", "RenderFailed", message="why"), "t")
    assert world.told() == [("RenderFailed", 1)]
    save_source(world.state, SourceStatus("shop", "FetchFailed"), "t")
    assert world.told() == [("FetchFailed", 1)]
    save_source(world.state, SourceStatus("shop", "Ready"), "t")
    assert world.told() == [("SourceReady", 1)]
    assert world.told() == []


def test_what_finds_no_room_is_let_go_and_offered_again_by_the_next_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_QUEUED", 2)
    items = [replace(ITEM, id=str(number), fingerprint=str(number)) for number in range(5)]
    world.store(*items)
    assert len(world.told()) == 2
    world.store(*items)
    world.store(*items)
    assert len(world.told()) == 2
    monkeypatch.setattr(module, "EVENTS_QUEUED", 100)
    monkeypatch.setattr(module, "EVENTS_REMEMBERED", 4)
    world.store(*items)
    assert world.told() == []


def test_without_events_it_only_counts(world: World) -> None:
    world.telling.sink = None
    world.store(ITEM)
    decide(world)
    assert world.told() == []
    assert read_totals(world.state).detected == {("drifted", "medium"): 1}


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyError("x")])
def test_a_look_that_fails_is_said_once_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stop, looks = threading.Event(), []

    def look(*_: object) -> None:
        looks.append(1)
        if len(looks) == 3:
            stop.set()
        raise error

    monkeypatch.setattr(module, "count_on", look)
    monkeypatch.setattr(module, "EVENTS_PER_SECOND", 1_000)
    world.telling.clock = count(0, 10).__next__
    world.telling.run(stop)
    assert (len(looks), len(world.said)) == (3, 1)


def test_what_comes_and_goes_is_told_once_an_hour_each(world: World) -> None:
    for _ in range(3):
        world.store(ITEM)
        world.store(replace(ITEM, state="in-sync"))
        world.told()
    assert [event.reason for event, _ in world.sink.sent] == ["DriftDetected", "DriftResolved"]
