"""Owns reading what has happened to findings, in the order in which it was noted. Must not note anything.

Numbers are those of one store: `epoch` tells it from the one of another replica, or of before a restore.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, func, select

from reconciler.report.moment import HAPPENED, Moment, Moments
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.schema import DRIFT, HISTORY, RESOLVED
from reconciler.store.state import State

_KEY: Final = "epoch"
_BYTES: Final = 4


def read_epoch(state: State) -> str:
    """Eight hex digits, made when they are first asked for. Raises StoreError."""
    with state.read() as connection:
        found = get_meta(connection, state.cluster, _KEY)
    if found:
        return found
    with state.write() as connection:  # of two who ask at once the first counts
        found = get_meta(connection, state.cluster, _KEY) or secrets.token_hex(_BYTES)
        put_meta(connection, state.cluster, _KEY, found)
    return found


def read_moments(state: State, after: int, limit: int) -> Moments:
    """Up to `limit` moments with a number above `after`, oldest first, and what the store has. Raises StoreError."""
    mine = HISTORY.c.cluster == state.cluster
    columns = (HISTORY.c.seq, HISTORY.c.event, HISTORY.c.time, HISTORY.c.id, HISTORY.c.body)
    chosen = select(*columns).where(mine, HISTORY.c.seq > after, HISTORY.c.event.in_(HAPPENED))
    with state.read() as connection:
        oldest, newest = connection.execute(select(func.min(HISTORY.c.seq), func.max(HISTORY.c.seq)).where(mine)).one()
        rows = connection.execute(chosen.order_by(HISTORY.c.seq).limit(limit)).all() if (newest or 0) > after else []
        findings = _findings(connection, state.cluster, {row.id for row in rows})
    found = tuple(
        Moment(row.seq, row.event, row.time, row.id, json.loads(row.body), findings.get(row.id)) for row in rows
    )
    # Beside these there may be moments of other kinds, which are passed over.
    last = rows[-1].seq if len(rows) == limit else max(after, newest or 0)
    return Moments(found, last, oldest or 0, newest or 0)


def _findings(connection: Connection, cluster: str, ids: Collection[str]) -> dict[str, Any]:
    """As they are, else as they last were."""
    found: dict[str, Any] = {}
    for table, order in ((RESOLVED, RESOLVED.c.resolved_at), (DRIFT, DRIFT.c.first_seen)) if ids else ():
        query = select(table.c.id, table.c.body).where(table.c.cluster == cluster, table.c.id.in_(ids)).order_by(order)
        found |= {row.id: json.loads(row.body) for row in connection.execute(query)}
    return found
