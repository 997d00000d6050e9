"""What is stored of an object is what was read last, whoever read it, and whoever listens is told just that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from reconciler.loop import ledger as module
from reconciler.loop.ledger import About, Ledger, Turns
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Rules
from reconciler.report.drift import DriftItem, DriftState, finding_id
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.findings import last_pass, read_findings
from reconciler.store.state import open_state, sqlite_url
from tests.support.waiting import PATIENCE_SECONDS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT = MemorySnapshot((), Rules(()), digest="one")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    state = open_state(sqlite_url(tmp_path / "state.db"))
    yield Ledger(state, lambda _: None)
    state.close()


def item(name: str, state: DriftState = "drifted", hidden: int = 0) -> DriftItem:
    identity = finding_id(ObjectRef("", "ConfigMap", "shop", name))
    one = DriftItem(identity, f"{name} {state}", "v1", "ConfigMap", "shop", name, state, first_seen="x", last_seen="y")
    return replace(one, hidden={"rule": hidden} if hidden else {})


def put(ledger: Ledger, look: int, *items: DriftItem) -> None:
    ledger.put(look, {one.id: one for one in items}, SNAPSHOT, NOW)


def passed(ledger: Ledger, look: int, *items: DriftItem) -> None:
    ledger.replace(look, items, SNAPSHOT, NOW, About())


def stored(ledger: Ledger) -> dict[str, str]:
    return {one["name"]: one["state"] for one in read_findings(ledger.state)[0]}


def test_a_pass_that_began_before_an_event_does_not_undo_it(ledger: Ledger) -> None:
    with ledger.look() as full, ledger.look() as event:
        put(ledger, event, item("new"), item("mended", "in-sync"), item("other", "missing"))
        passed(ledger, full, item("new", "in-sync"), item("mended"), item("else"))
    assert stored(ledger) == {"new": "drifted", "other": "missing", "else": "drifted"}


def test_what_is_no_concern_any_more_does_not_come_back_with_an_older_pass(ledger: Ledger) -> None:
    with ledger.look() as full, ledger.look() as event:
        ledger.put(event, {item("stray").id: None}, SNAPSHOT, NOW)
        passed(ledger, full, item("stray", "extra"))
    assert stored(ledger) == {}


def test_an_event_that_was_read_before_a_pass_began_does_not_undo_it(ledger: Ledger) -> None:
    with ledger.look() as event, ledger.look() as full:
        passed(ledger, full, item("one"))
        put(ledger, event, item("one", "in-sync"))
    assert stored(ledger) == {"one": "drifted"}


def test_of_two_looks_at_an_object_the_later_counts(ledger: Ledger) -> None:
    with ledger.look() as first, ledger.look() as second:
        put(ledger, second, item("one"))
        put(ledger, first, item("one", "in-sync"))
    assert stored(ledger) == {"one": "drifted"}


def test_once_no_older_look_is_under_way_nothing_is_remembered_of_it(ledger: Ledger) -> None:
    with ledger.look() as first:
        put(ledger, first, item("one"))
    assert ledger._later == {}
    with ledger.look() as older:
        with ledger.look() as newer:
            put(ledger, newer, item("one"))
        assert list(ledger._later) == [item("one").id]
        put(ledger, older, item("one", "in-sync"))
    assert (stored(ledger), ledger._later) == ({"one": "drifted"}, {})


def test_what_hides_is_counted_after_an_event_as_after_a_pass(ledger: Ledger) -> None:
    with ledger.look() as full:
        passed(ledger, full, item("one", "in-sync", 2), item("two", "drifted", 1))
    with ledger.look() as event:
        put(ledger, event, item("one", "in-sync", 5), item("two", "in-sync"))
    assert last_pass(ledger.state).hidden == {"rule": 5}
    with ledger.look() as event:
        put(ledger, event, item("one", "in-sync"))
    assert last_pass(ledger.state).hidden == {}


def test_before_the_first_pass_an_event_says_nothing_of_the_whole(ledger: Ledger) -> None:
    with ledger.look() as event:
        put(ledger, event, item("one", "in-sync", 5))
    assert (last_pass(ledger.state).observed_at, ledger.whole) == ("", False)


def test_in_doubt_nothing_is_in_sync_and_what_differs_stays(ledger: Ledger) -> None:
    ledger.doubts = {("", "ConfigMap"): "ConfigMap cannot be watched: forbidden"}
    with ledger.look() as full:
        passed(ledger, full, item("one", "in-sync"), item("two"))
    assert stored(ledger) == {"one": "unknown", "two": "drifted"}
    ledger.doubts = {}
    with ledger.look() as event:
        put(ledger, event, item("one", "in-sync"))
    assert stored(ledger) == {"two": "drifted"}


def test_whoever_listens_is_told_what_was_stored_and_one_that_fails_harms_nobody(ledger: Ledger) -> None:
    told: list[tuple[str, str]] = []

    def fails(*_: object) -> None:
        raise ValueError

    ledger.listen(fails)
    ledger.listen(lambda items, snapshot, _: told.extend((one.name, snapshot.digest) for one in items))
    with ledger.look() as full, ledger.look() as event:
        put(ledger, event, item("one", "in-sync"))
        passed(ledger, full, item("one"), item("two"))
    assert told == [("one", "one"), ("two", "one")]
    assert [one.ref.name for one in ledger.open] == ["two"]


def test_whoever_looks_while_a_pass_is_stored_has_a_turn_between_its_portions(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = list[dict[str, str]]()

    def turn(_: float) -> None:
        turns.append(stored(ledger))
        with ledger.look() as event:
            put(ledger, event, item("b", "in-sync"), item("late"))

    monkeypatch.setattr(module, "LEDGER_AT_ONCE", 1)
    monkeypatch.setattr(module.time, "sleep", turn)
    with ledger.look() as full:
        passed(ledger, full, item("a"), item("b"))
    assert turns[0] == {"a": "drifted"}
    assert stored(ledger) == {"a": "drifted", "late": "drifted"}
    assert sorted(one.ref.name for one in ledger.open) == ["a", "late"]


def test_between_the_portions_of_a_pass_an_older_look_undoes_none(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEDGER_AT_ONCE", 1)
    with ledger.look() as older, ledger.look() as full:
        monkeypatch.setattr(module.time, "sleep", lambda _: put(ledger, older, item("a", "in-sync"), item("gone")))
        passed(ledger, full, item("a"), item("b"))
    assert stored(ledger) == {"a": "drifted", "b": "drifted"}


def test_a_pass_goes_on_when_the_look_that_it_lets_go_first_has_ended(ledger: Ledger) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), list[str]()

    def event() -> None:
        with ledger.look() as one:
            begun.set()
            may_end.wait()
            put(ledger, one, item("late"))
            ended.append("event")

    other = threading.Thread(target=event)
    other.start()
    begun.wait()
    with ledger.look() as full:
        threading.Timer(0.1, may_end.set).start()
        assert ledger.others(full, PATIENCE_SECONDS) < PATIENCE_SECONDS
        assert ended == ["event"]
    other.join()


def test_a_pass_does_not_wait_for_others_longer_than_it_has_time_for(ledger: Ledger) -> None:
    with ledger.look(), ledger.look() as full:
        turns = Turns(ledger, full, left=0.01)
        turns.give_way()
        assert turns.left <= 0
        waited = list[float]()
        turns.ledger = cast("Ledger", SimpleNamespace(others=lambda _, seconds: waited.append(seconds)))
        turns.give_way()
    assert waited == []


def test_a_pass_that_breaks_off_takes_nothing_away_and_is_none(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.look() as full:
        passed(ledger, full, item("before"))
    observed = last_pass(ledger.state)
    monkeypatch.setattr(module, "LEDGER_AT_ONCE", 1)

    def breaks(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", breaks)
    with ledger.look() as full, pytest.raises(KeyboardInterrupt):
        ledger.replace(full, [item("a"), item("b")], replace(SNAPSHOT, digest="two"), NOW, About())
    assert (stored(ledger), last_pass(ledger.state)) == ({"before": "drifted", "a": "drifted"}, observed)


def test_what_a_pass_stores_is_told_once_unless_a_later_look_has_told_of_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    ledger.listen(lambda items, *_: told.extend((one.name, one.state) for one in items))
    monkeypatch.setattr(module, "LEDGER_AT_ONCE", 1)
    later = iter([item("a", "missing")])

    def turn(_: float) -> None:
        with ledger.look() as event:
            put(ledger, event, *later)

    monkeypatch.setattr(module.time, "sleep", turn)
    with ledger.look() as full:
        passed(ledger, full, item("a"), item("b"))
    assert told == [("a", "missing"), ("b", "drifted")]
