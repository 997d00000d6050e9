"""Owns what happened to findings, and those that are over. Must not decide that anything happened.

Both are bounded: an object that flaps pushes out its own past, not that of others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from reconciler.limits import HISTORY_KEPT, HISTORY_OF_OBJECT, REPORT_PAGE, RESOLVED_KEPT
from reconciler.model.instant import stamp
from reconciler.store.schema import HISTORY, RESOLVED
from reconciler.store.state import State

Event = Literal["detected", "changed", "resolved", "healed", "heal-failed", "fight"]

Ended = Literal["in-sync", "not-guarded", "gone"]
"""The `code` of an end: the object was seen and did not differ, nobody looks at it any more, it is gone or declared."""

# What ends say that were noted before they had a code.
_IN_SYNC_ONCE: Final = "as Git says"
# How old what is compared may be.
_LAG_SECONDS: Final = 5
# The whole table is counted once in so many rows.
_COUNTED: Final = 500


def note_history(state: State, identity: str, event: Event, time: str, body: Mapping[str, Any]) -> None:
    """Remember one event of the object with this id. `time` is RFC 3339, `body` printable. Raises StoreError."""
    with state.write() as connection:
        add_events(connection, state.cluster, [(identity, event, time, body)])


def read_history(state: State, identity: str) -> list[dict[str, Any]]:
    """What happened to the object, oldest first: `event`, `time` and what else was noted. Raises StoreError."""
    mine = (HISTORY.c.cluster == state.cluster) & (HISTORY.c.id == identity)
    query = select(HISTORY.c.event, HISTORY.c.time, HISTORY.c.body).where(mine).order_by(HISTORY.c.seq)
    with state.read() as connection:
        rows = connection.execute(query).all()
    return [{**json.loads(row.body), "event": row.event, "time": row.time} for row in rows]


def read_in_sync(state: State, ids: Sequence[str]) -> dict[str, str]:
    """Up to when what was written of these objects is undone: when each was last seen in sync. Raises StoreError.

    What was compared may be a little older than its look; what was found before it was in sync is undone in any case.
    """
    found, before = dict[str, str](), dict[str, str]()
    for start in range(0, len(ids), REPORT_PAGE):
        some = (HISTORY.c.cluster == state.cluster) & HISTORY.c.id.in_(ids[start : start + REPORT_PAGE])
        query = select(HISTORY.c.id, HISTORY.c.event, HISTORY.c.time, HISTORY.c.body).where(some)
        with state.read() as connection:
            rows = connection.execute(query.order_by(HISTORY.c.seq)).all()
        for row in rows:
            if row.event == "resolved" and _ended_in_sync(json.loads(row.body)):
                looked = stamp(datetime.fromisoformat(row.time) - timedelta(seconds=_LAG_SECONDS))
                found[row.id] = max(looked, before.get(row.id, ""))
            elif row.event in ("detected", "changed"):
                before[row.id] = row.time
    return found


def read_resolved(state: State, since: str, limit: int) -> list[dict[str, Any]]:
    """Findings that are over since then (RFC 3339; "" is ever), as they last were, newest first. Raises StoreError."""
    mine = (RESOLVED.c.cluster == state.cluster) & (RESOLVED.c.resolved_at >= since)
    query = (
        select(RESOLVED.c.body).where(mine).order_by(RESOLVED.c.resolved_at.desc(), RESOLVED.c.id.desc()).limit(limit)
    )
    with state.read() as connection:
        return [json.loads(body) for body in connection.execute(query).scalars()]


def add_events(
    connection: Connection, cluster: str, events: Sequence[tuple[str, Event, str, Mapping[str, Any]]]
) -> None:
    """Id, event, time and body of each, in the caller's write transaction."""
    if not events:
        return
    rows = [
        {"cluster": cluster, "id": identity, "event": event, "time": time, "body": json.dumps(dict(body))}
        for identity, event, time, body in events
    ]
    connection.execute(insert(HISTORY), rows)
    _cut_objects(connection, cluster, list(dict.fromkeys(identity for identity, *_ in events)))
    last = connection.execute(select(func.max(HISTORY.c.seq))).scalar() or 0
    if last % _COUNTED < len(rows):
        _cut_all(connection, cluster)


def add_resolved(connection: Connection, cluster: str, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Findings with their `resolvedAt`, in the caller's write transaction."""
    rows = [
        {
            "cluster": cluster,
            "id": body["id"],
            "resolved_at": body["resolvedAt"],
            "occurrences": body["occurrences"],
            "body": json.dumps(dict(body)),
        }
        for body in bodies
    ]
    if not rows:
        return
    mine = RESOLVED.c.cluster == cluster
    same = (RESOLVED.c.id == bindparam("one")) & (RESOLVED.c.resolved_at == bindparam("at"))
    pairs = [{"one": row["id"], "at": row["resolved_at"]} for row in rows]
    connection.execute(delete(RESOLVED).where(mine, same), pairs)
    connection.execute(insert(RESOLVED), rows)
    kept = select(RESOLVED.c.resolved_at, RESOLVED.c.id).where(mine)
    newest_first = kept.order_by(RESOLVED.c.resolved_at.desc(), RESOLVED.c.id.desc())
    oldest = connection.execute(newest_first.offset(RESOLVED_KEPT).limit(1)).first()
    if oldest is not None:  # many are over in the same second
        older = (RESOLVED.c.resolved_at == oldest.resolved_at) & (RESOLVED.c.id <= oldest.id)
        connection.execute(delete(RESOLVED).where(mine, (RESOLVED.c.resolved_at < oldest.resolved_at) | older))


def occurred(connection: Connection, cluster: str, ids: Sequence[str]) -> dict[str, int]:
    """How often findings that are over had occurred, by id."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), REPORT_PAGE):
        some = (RESOLVED.c.cluster == cluster) & RESOLVED.c.id.in_(ids[start : start + REPORT_PAGE])
        most = select(RESOLVED.c.id, func.max(RESOLVED.c.occurrences)).where(some).group_by(RESOLVED.c.id)
        found |= {row[0]: int(row[1]) for row in connection.execute(most)}
    return found


def _ended_in_sync(body: Mapping[str, Any]) -> bool:
    in_sync: Ended = "in-sync"
    return bool(body["code"] == in_sync if "code" in body else body.get("reason") == _IN_SYNC_ONCE)


def _cut_objects(connection: Connection, cluster: str, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), REPORT_PAGE):
        some = (HISTORY.c.cluster == cluster) & HISTORY.c.id.in_(ids[start : start + REPORT_PAGE])
        many = select(HISTORY.c.id).where(some).group_by(HISTORY.c.id).having(func.count() > HISTORY_OF_OBJECT)
        for identity in connection.execute(many).scalars().all():
            mine = (HISTORY.c.cluster == cluster) & (HISTORY.c.id == identity)
            kept = select(HISTORY.c.seq).where(mine).order_by(HISTORY.c.seq.desc())
            oldest = connection.execute(kept.offset(HISTORY_OF_OBJECT).limit(1)).scalar()
            connection.execute(delete(HISTORY).where(mine, HISTORY.c.seq <= oldest))


def _cut_all(connection: Connection, cluster: str) -> None:
    mine = HISTORY.c.cluster == cluster
    kept = select(HISTORY.c.seq).where(mine).order_by(HISTORY.c.seq.desc())
    oldest = connection.execute(kept.offset(HISTORY_KEPT).limit(1)).scalar()
    if oldest is not None:
        connection.execute(delete(HISTORY).where(mine, HISTORY.c.seq <= oldest))
