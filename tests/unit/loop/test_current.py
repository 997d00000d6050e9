"""Up to when all is known: never a time that nobody has seen, and never forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.cluster.informer import Watched
from reconciler.loop.current import Current
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.watched import Watch, read_watch, save_watch

KIND = ("apps", "Deployment")
BEFORE = "2026-01-01T00:00:00Z"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    one = open_state(sqlite_url(tmp_path / "state.db"))
    yield one
    one.close()


def noted(state: State, watched: Watched, *, whole: bool = True) -> str:
    """What is noted by a process that has just begun."""
    Current(state).note(watched, time.monotonic(), whole=whole)
    return read_watch(state).current_at


def test_it_is_the_last_sign_of_the_watch_that_has_been_silent_for_longest(state: State) -> None:
    now = time.monotonic()
    heard = {KIND: now - 3600.0, ("", "ConfigMap"): now}
    first = datetime.fromisoformat(noted(state, Watched(heard=heard)))
    assert 3600.0 <= (datetime.now(UTC) - first).total_seconds() < 4000.0


@pytest.mark.parametrize(
    ("watched", "whole"), [(Watched(), False), (Watched(pending=frozenset([KIND]), heard={KIND: 0.0}), True)]
)
def test_a_restart_keeps_what_was_known_until_more_is(state: State, watched: Watched, whole: bool) -> None:
    save_watch(state, Watch(BEFORE, {"ConfigMap": "forbidden"}))
    assert noted(state, watched, whole=whole) == BEFORE
    assert read_watch(state).unwatched == {}
    assert noted(state, Watched(heard={KIND: time.monotonic()})) > BEFORE
