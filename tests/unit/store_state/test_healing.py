"""What is remembered of corrections comes back as it was, with the events of the history that belong to it."""

from __future__ import annotations

import pytest

from reconciler.errors import StoreError
from reconciler.heal.backoff import Backoff
from reconciler.heal.fight import Fight
from reconciler.store.healing import Remembered, keep_healing, read_healing
from reconciler.store.history import read_history
from reconciler.store.state import State

ONE = Remembered(Backoff("abc", 3, 1_900_000_000.25, None), Fight(((1_900_000_000.0, "dana"), (1_900_000_000.25, ""))))
TWO = Remembered(Backoff("def", 1, 5.5, 6.5), Fight(), "Invalid at data")


def test_it_is_read_as_it_was_kept(state: State) -> None:
    keep_healing(state, {"one": ONE, "two": TWO})
    assert read_healing(state) == {"one": ONE, "two": TWO}
    assert read_healing(State(state.engine, "other")) == {}


def test_what_is_kept_again_replaces_what_was_and_what_is_over_is_forgotten(state: State) -> None:
    keep_healing(state, {"one": ONE, "two": TWO})
    keep_healing(state, {"one": TWO, "two": None, "three": None})
    assert read_healing(state) == {"one": TWO}


def test_an_event_and_what_is_remembered_for_it_are_stored_together_or_not_at_all(state: State) -> None:
    keep_healing(state, {"one": ONE}, [("one", "healed", "2030-01-01T00:00:00Z", {"verb": "apply"})])
    assert [event["event"] for event in read_history(state, "one")] == ["healed"]
    with pytest.raises(StoreError):
        keep_healing(state, {"one": None}, [("one", "fight", None, {})])  # type: ignore[list-item] # no time
    assert read_healing(state) == {"one": ONE}
