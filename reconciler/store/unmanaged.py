"""Owns the last count of unmanaged objects. Must not count."""

from __future__ import annotations

import json
from dataclasses import asdict

from reconciler.report.unmanaged import Place, Unmanaged
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.state import State

_KEY = "unmanaged"


def save_unmanaged(state: State, found: Unmanaged) -> None:
    """Store it in place of the count before. Raises StoreError."""
    with state.write() as connection:
        put_meta(connection, state.cluster, _KEY, json.dumps(asdict(found)))


def read_unmanaged(state: State) -> Unmanaged:
    """The last count; an empty one where nobody has counted yet. Raises StoreError."""
    with state.read() as connection:
        text = get_meta(connection, state.cluster, _KEY)
    if not text:
        return Unmanaged()
    held = json.loads(text)
    places = {name: Place(**place) for name, place in held["places"].items()}
    return Unmanaged(held["at"], places, held["unread"])
