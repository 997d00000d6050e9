"""Owns the way to the state store of a state directory. Must not know what is stored there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from reconciler.store.state import State, open_state, sqlite_url

STATE_FILE: Final = "state.db"


def open_store(state_dir: Path, cluster: str = "default") -> State:
    """The store, made at first use. Raises StoreError."""
    return open_state(sqlite_url(state_dir / STATE_FILE), cluster=cluster)


@contextmanager
def existing_store(state_dir: Path) -> Iterator[State]:
    """The store of a directory that has one: asking must not make it. Raises UsageError, StoreError."""
    if not (state_dir / STATE_FILE).is_file():
        hint = "give the state directory of `setscrew run` with --state, or set SETSCREW_STATE"
        raise UsageError("no state of Setscrew is here", where=str(state_dir), hint=hint)
    state = open_store(state_dir)
    try:
        yield state
    finally:
        state.close()
