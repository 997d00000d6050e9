"""Owns who is named for a finding that is stored already: a record of a decision may come after what it explains.

Must not change anything else of a finding, nor touch one that is another one by now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from reconciler.limits import REPORT_PAGE
from reconciler.report.drift import DriftItem
from reconciler.report.lasting import event_body
from reconciler.report.line import line_of
from reconciler.report.revived import revived
from reconciler.store.schema import DRIFT, HISTORY, LINES
from reconciler.store.state import State


def read_items(state: State, ids: Sequence[str]) -> Iterator[DriftItem]:
    """The findings of these ids, as far as there are any. Raises StoreError."""
    for start in range(0, len(ids), REPORT_PAGE):
        some = DRIFT.c.id.in_(ids[start : start + REPORT_PAGE])
        with state.read() as connection:
            bodies = connection.execute(select(DRIFT.c.body).where(DRIFT.c.cluster == state.cluster, some)).scalars()
            yield from [revived(json.loads(body)) for body in bodies]


def rename_findings(state: State, items: Iterable[DriftItem]) -> None:
    """Store whom these name now, in their last event, too. Raises StoreError."""
    items = list(items)
    if not items:
        return
    with state.write() as connection:
        for item in items:
            same = (DRIFT.c.id == item.id, DRIFT.c.fingerprint == item.fingerprint)
            query = update(DRIFT).where(DRIFT.c.cluster == state.cluster, *same, DRIFT.c.last_seen == item.last_seen)
            body = json.dumps(item.as_json())
            if connection.execute(query.values(body=body)).rowcount:
                mine = (LINES.c.cluster == state.cluster, LINES.c.id == item.id)
                # The key stays: an earlier version has named another cluster in what it stored.
                line = line_of(body)._replace(cluster=state.cluster)
                connection.execute(update(LINES).where(*mine).values(line._asdict()))
                _rename_event(connection, state.cluster, item)


def _rename_event(connection: Connection, cluster: str, item: DriftItem) -> None:
    mine = (HISTORY.c.cluster == cluster, HISTORY.c.id == item.id, HISTORY.c.event.in_(("detected", "changed")))
    last = select(HISTORY.c.seq, HISTORY.c.body).where(*mine).order_by(HISTORY.c.seq.desc()).limit(1)
    row: Any = connection.execute(last).first()
    if row is not None and json.loads(row.body).get("fingerprint") == item.fingerprint:
        body = json.dumps(event_body(item))
        connection.execute(update(HISTORY).where(HISTORY.c.seq == row.seq).values(body=body))
