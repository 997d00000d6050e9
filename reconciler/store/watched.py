"""Owns how far detection is current, as it was last noted. Must not watch, nor judge what is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from reconciler.store.meta import get_meta, put_meta
from reconciler.store.state import State


@dataclass(frozen=True, slots=True)
class Watch:
    """Up to when all changes are known (RFC 3339; "": nothing is watched); why kinds (`apps/Deployment`) are not."""

    current_at: str = ""
    unwatched: Mapping[str, str] = field(default_factory=dict)


def save_watch(state: State, watch: Watch) -> None:
    """Store it in place of what was noted before. Raises StoreError."""
    with state.write() as connection:
        put_meta(connection, state.cluster, "watch", json.dumps(asdict(watch)))


def read_watch(state: State) -> Watch:
    """What was noted last; nothing where nobody has watched. Raises StoreError."""
    with state.read() as connection:
        text = get_meta(connection, state.cluster, "watch")
    return Watch(**json.loads(text)) if text else Watch()
