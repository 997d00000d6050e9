"""Owns the totals of what happened to findings, counted from their history, and what else only metrics ask for.

Counted once, whatever ends in between: how far it has come stands beside the totals. Must not write the history.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from reconciler.limits import EVENT_DECISIONS, REPORT_PAGE_MAX
from reconciler.model.instant import stamp_of
from reconciler.policy.grant import Grant
from reconciler.report.totals import Counted, Totals, totals_of
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.schema import DECISIONS, DRIFT, GRANTS, HISTORY, LINES, RESOLVED
from reconciler.store.state import State

_KEY: Final = "totals"


def read_totals(state: State) -> Totals:
    """What is counted so far. Raises StoreError."""
    with state.read() as connection:
        return _totals(connection, state.cluster)


def count_on(state: State, now: str) -> list[dict[str, Any]]:
    """Count what the history has got since the last time; the findings that are over since then, as JSON.

    `now` is RFC 3339. One call counts up to REPORT_PAGE_MAX events. Raises StoreError.
    """
    with state.read() as connection:
        before = _totals(connection, state.cluster)
        # Asked each second, so by the number alone: with the cluster it would be a walk over all of its past.
        last = connection.execute(select(func.max(HISTORY.c.seq))).scalar()
    if before.begun and (last or 0) <= before.seq:
        return []
    with state.write() as connection:
        totals = _totals(connection, state.cluster)
        query = select(HISTORY).where(HISTORY.c.seq > totals.seq).order_by(HISTORY.c.seq).limit(REPORT_PAGE_MAX)
        over = []
        for row in connection.execute(query).all():
            totals.seq = row.seq
            if row.cluster != state.cluster:
                continue
            if row.event == "detected":
                # State and severity are those of that moment, who wrote it stands in the finding alone.
                found = _finding(connection, state.cluster, row.id) or {}
                totals.note_detected(found | json.loads(row.body), row.time)
            elif row.event == "resolved" and (body := _resolved(connection, state.cluster, row.id, row.time)):
                totals.note_resolved(body)
                over.append(body)
        totals.begun = totals.begun or now
        put_meta(connection, state.cluster, _KEY, json.dumps(totals.as_json()))
    return over


def count_by_labels(state: State) -> list[Counted]:
    """How many findings there are with the same labels. Raises StoreError."""
    names = (LINES.c.namespace, LINES.c.api_group, LINES.c.kind, LINES.c.source, LINES.c.state, LINES.c.severity)
    found: dict[tuple[str, ...], Counted] = {}
    with state.read() as connection:
        query = select(*names, LINES.c.first_seen).where(LINES.c.cluster == state.cluster)
        for row in connection.execute(query):
            one = Counted(*row[:6], 1, row.first_seen)
            found[one[:6]] = one.joined(found.get(one[:6]))
    return [found[key] for key in sorted(found)]


def departures_after(state: State, seq: int | None) -> tuple[list[dict[str, Any]], int]:
    """Records of writes away from Git, refused or let pass, after number `seq`, and the number looked at last.

    None: none of them, only where the record ends now. Raises StoreError.
    """
    mine = DECISIONS.c.cluster == state.cluster
    with state.read() as connection:
        last = int(connection.execute(select(func.max(DECISIONS.c.seq)).where(mine)).scalar() or 0)
        if seq is None or last <= seq:
            return [], last
        away = or_(DECISIONS.c.allowed == 0, DECISIONS.c.would != "")
        query = select(DECISIONS.c.seq, DECISIONS.c.body).where(mine, DECISIONS.c.seq > seq, away)
        rows = connection.execute(query.order_by(DECISIONS.c.seq).limit(EVENT_DECISIONS)).all()
    return [json.loads(row.body) for row in rows], rows[-1].seq if len(rows) == EVENT_DECISIONS else last


def grants_in_force(state: State, now: float) -> int:
    """How many grants hold at that moment (Unix seconds). Raises StoreError."""
    mine = and_(GRANTS.c.cluster == state.cluster, GRANTS.c.revoked == "", GRANTS.c.not_after > stamp_of(now))
    with state.read() as connection:
        bodies = connection.execute(select(GRANTS.c.body).where(mine)).scalars().all()
    return sum(msgspec.json.decode(body, type=Grant).holds(now) for body in bodies)


def _totals(connection: Connection, cluster: str) -> Totals:
    text = get_meta(connection, cluster, _KEY)
    return totals_of(json.loads(text)) if text else Totals()


def _finding(connection: Connection, cluster: str, identity: str) -> dict[str, Any] | None:
    query = select(DRIFT.c.body).where(DRIFT.c.cluster == cluster, DRIFT.c.id == identity)
    return _loaded(connection.execute(query).scalar())


def _resolved(connection: Connection, cluster: str, identity: str, at: str) -> dict[str, Any] | None:
    mine = and_(RESOLVED.c.cluster == cluster, RESOLVED.c.id == identity, RESOLVED.c.resolved_at == at)
    return _loaded(connection.execute(select(RESOLVED.c.body).where(mine)).scalar())


def _loaded(text: str | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found
