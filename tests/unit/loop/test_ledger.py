"""What is stored of an object is what was read last, whoever read it, and whoever listens is told just that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.loop.ledger import About, Ledger
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Rules
from reconciler.report.drift import DriftItem, DriftState, finding_id
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.findings import last_pass, read_findings
from reconciler.store.state import open_state, sqlite_url

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
