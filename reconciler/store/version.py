"""Owns which version of Kubernetes the cluster was last seen with. Must not ask the cluster."""

from __future__ import annotations

from typing import Final

from reconciler.store.meta import get_meta, put_meta
from reconciler.store.state import State

_KEY: Final = "kubernetes"


def save_version(state: State, version: str) -> None:
    """Store it where it is another than before: `v1.36.3`. Raises StoreError."""
    if version == read_version(state):
        return
    with state.write() as connection:
        put_meta(connection, state.cluster, _KEY, version)


def read_version(state: State) -> str:
    """As it was last seen; "" where nobody has looked. Raises StoreError."""
    with state.read() as connection:
        return get_meta(connection, state.cluster, _KEY)
