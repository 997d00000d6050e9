"""Owns reading findings that are over, and fights over objects. Must not write, nor decide that anything is over."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from reconciler.store.schema import DRIFT, HISTORY, RESOLVED
from reconciler.store.state import State

# Of so many of the newest events of fights each object is named once.
_EVENTS = 1_000


def read_over(state: State, identity: str) -> dict[str, Any] | None:
    """The finding of this object that was over last, as it last was, with `resolvedAt`. Raises StoreError."""
    with state.read() as connection:
        body = _last(connection, state.cluster, identity)
    return json.loads(body) if body is not None else None


def read_fights(state: State, since: str, limit: int) -> list[dict[str, Any]]:
    """Objects that were fought over since then (RFC 3339), the last first: what was noted, `id`, `time`, and names.

    Names are `kind`, `namespace` and `name`; an object of which no finding is kept is left out. Raises StoreError.
    """
    mine = (HISTORY.c.cluster == state.cluster) & (HISTORY.c.event == "fight") & (HISTORY.c.time >= since)
    columns = (HISTORY.c.id, HISTORY.c.time, HISTORY.c.body)
    found = dict[str, dict[str, Any]]()
    with state.read() as connection:
        query = select(*columns).where(mine).order_by(HISTORY.c.seq.desc()).limit(_EVENTS)
        for identity, time, body in connection.execute(query).all():
            if identity in found or len(found) >= limit:
                continue
            if named := _names(connection, state.cluster, identity):
                found[identity] = {**json.loads(body), **named, "id": identity, "time": time}
    return list(found.values())


def _names(connection: Connection, cluster: str, identity: str) -> dict[str, str]:
    query = select(DRIFT.c.body).where(DRIFT.c.cluster == cluster, DRIFT.c.id == identity)
    body = connection.execute(query).scalar() or _last(connection, cluster, identity)
    held = json.loads(body) if body else {}
    return {name: str(held[name]) for name in ("kind", "namespace", "name")} if held else {}


def _last(connection: Connection, cluster: str, identity: str) -> str | None:
    mine = (RESOLVED.c.cluster == cluster) & (RESOLVED.c.id == identity)
    query = select(RESOLVED.c.body).where(mine).order_by(RESOLVED.c.resolved_at.desc()).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found
