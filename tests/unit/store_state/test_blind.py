"""Spans of blindness are joined while they last, survive restarts and full disks, and are not kept for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import reconciler.store.blind as module
from reconciler.errors import StoreError
from reconciler.model.blind import Blind, Slipped
from reconciler.store.blind import StoredBlindLog, keep_slipped, read_blind, read_slipped, read_watches, save_watch
from reconciler.store.state import State

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
FAILED_OPEN = Blind("fail-open", NOON, entries=("apps-v1.guard.setscrew.dev",), writes=3, detail="first")
SLIP = Slipped("a1", "2030-01-02T12:00:00Z", "dana", "patch", "apps", "deployments", "shop", "web", "", "apps-v1", 200)


@dataclass
class Watched:
    state: State
    said: list[str] = field(default_factory=list)
    looks: int = 0
    time: datetime = NOON

    def log(self) -> StoredBlindLog:
        return StoredBlindLog(self.state, self.said.append, lambda: self.time, self.look)

    def look(self) -> None:
        self.looks += 1

    def spans(self) -> list[dict[str, Any]]:
        return read_blind(self.state, 100)[0]


@pytest.fixture
def watched(state: State) -> Watched:
    return Watched(state)


def test_an_open_span_grows_and_then_ends(watched: Watched) -> None:
    log = watched.log()
    log.begin(FAILED_OPEN)
    more = replace(FAILED_OPEN, since=NOON + timedelta(seconds=9), entries=("v1",), writes=4, detail="second")
    log.begin(more)
    (span,) = watched.spans()
    assert (span["since"], span["until"], span["writes"], span["detail"]) == ("2030-01-02T12:00:00Z", "", 7, "second")
    assert span["entries"] == ["apps-v1.guard.setscrew.dev", "v1"]
    log.end("fail-open", NOON + timedelta(minutes=1))
    log.end("fail-open", NOON + timedelta(minutes=2))
    (span,) = watched.spans()
    assert span["until"] == "2030-01-02T12:01:00Z"
    assert len(watched.said) == 2
    assert watched.said[1].endswith(
        "to 2030-01-02T12:01:00Z: 7 writes passed unjudged (fail-open; entries apps-v1, v1): second"
    )


def test_each_cause_has_a_span_of_its_own(watched: Watched) -> None:
    log = watched.log()
    log.begin(FAILED_OPEN)
    log.begin(Blind("registration", NOON, detail="deleted"))
    log.end("fail-open", NOON)
    assert [(one["cause"], bool(one["until"])) for one in watched.spans()] == [
        ("registration", False),
        ("fail-open", True),
    ]


def test_a_look_at_the_cluster_is_due_when_writes_slipped_through_and_when_it_is_over(watched: Watched) -> None:
    log = watched.log()
    log.begin(FAILED_OPEN)
    log.end("fail-open", NOON)
    assert watched.looks == 2
    log.end("fail-open", NOON)
    assert watched.looks == 2


def test_a_span_that_was_open_when_the_reconciler_died_goes_on_and_says_that_nobody_looked(watched: Watched) -> None:
    watched.log().begin(FAILED_OPEN)
    watched.time = NOON + timedelta(hours=1)
    log = watched.log()
    log.begin(replace(FAILED_OPEN, detail=""))
    (span,) = watched.spans()
    assert span["until"] == ""
    assert span["writes"] == 6
    assert "nobody looked from 2030-01-02T12:00:00Z to 2030-01-02T13:00:00Z" in span["detail"]
    log.end("fail-open", watched.time)
    assert watched.spans()[0]["until"] == "2030-01-02T13:00:00Z"


def test_a_full_disk_loses_no_span(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    log = watched.log()

    @contextmanager
    def full(_: State) -> Iterator[None]:
        raise StoreError("the state store failed: database or disk is full")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(State, "write", full)
        log.begin(FAILED_OPEN)
        log.end("fail-open", NOON)
        log.begin(Blind("canary", NOON))
    assert watched.spans() == []
    assert sum("kept in memory" in line for line in watched.said) == 1
    log.flush()
    assert [one["cause"] for one in watched.spans()] == ["canary", "fail-open"]


def test_old_spans_are_forgotten_and_open_ones_never(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLIND_SPANS_KEPT", 3)
    log = watched.log()
    log.begin(Blind("registration", NOON - timedelta(days=1)))
    for minute in range(6):
        log.begin(replace(FAILED_OPEN, since=NOON + timedelta(minutes=minute)))
        log.end("fail-open", NOON + timedelta(minutes=minute, seconds=30))
    found = watched.spans()
    assert [one["cause"] for one in found] == ["registration", "fail-open", "fail-open", "fail-open"]
    assert found[1]["since"] == "2030-01-02T12:05:00Z"


def test_nothing_that_a_terminal_would_obey_is_kept(watched: Watched) -> None:
    watched.log().begin(Blind("registration", NOON, entries=("\x1b[2Jx",), detail="by \x1b]0;evil\x07\nsecond line"))
    (span,) = watched.spans()
    assert all(text.isprintable() for text in (span["detail"], *span["entries"], *watched.said))


def test_slipped_writes_are_kept_once_newest_first_and_not_for_ever(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLIPPED_KEPT", 2)
    keep_slipped(state, [SLIP, SLIP, replace(SLIP, id="a2", time="2030-01-02T12:00:01Z")])
    keep_slipped(state, [SLIP])
    assert read_slipped(state, 10)[1] == 2
    keep_slipped(state, [replace(SLIP, id="a3", time="2030-01-02T12:00:02Z", user="eve")])
    found, total = read_slipped(state, 1)
    assert (found[0]["id"], found[0]["user"], total) == ("a3", "eve", 2)
    keep_slipped(state, [])


def test_how_the_watches_stand_is_stored_by_name(state: State) -> None:
    save_watch(state, "canary", {"state": "sees"})
    save_watch(state, "inner", {"position": 5})
    assert read_watches(state) == {"canary": {"state": "sees"}}


def test_a_store_of_the_version_before_is_taken_over(watched: Watched) -> None:
    from reconciler.store.state import open_state

    state, url = watched.state, watched.state.engine.url
    with state.write() as connection:
        for table in ("blind", "slipped"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE key = 'schema'")
    again = open_state(url)
    watched.state = again
    watched.log().begin(FAILED_OPEN)
    assert len(watched.spans()) == 1
    again.close()
    open_state(url).close()
