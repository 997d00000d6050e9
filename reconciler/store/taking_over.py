"""Owns what a store of an earlier version needs beside new tables. Looks at what is there, whatever the version."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, and_, column, insert, inspect, select, table, text

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.report.line import line_of
from reconciler.store.schema import DRIFT, LINES

# Up to version 7 what is remembered of findings stood here.
_FACTS: Final = table("drift_facts", *map(column, ("cluster", "id", "occurrences", "known", "before")))


def add_lines(connection: Connection) -> None:
    """Give each finding that has none its line, in the caller's write transaction; what stood elsewhere comes along."""
    once = inspect(connection).has_table(_FACTS.name)
    query = select(DRIFT.c.cluster, DRIFT.c.id, DRIFT.c.state, DRIFT.c.fingerprint, DRIFT.c.body)
    found: Any = DRIFT.outerjoin(LINES, and_(DRIFT.c.cluster == LINES.c.cluster, DRIFT.c.id == LINES.c.id))
    if once:
        found = found.outerjoin(_FACTS, and_(DRIFT.c.cluster == _FACTS.c.cluster, DRIFT.c.id == _FACTS.c.id))
        query = query.add_columns(_FACTS.c.occurrences, _FACTS.c.known, _FACTS.c.before)
    bare = query.select_from(found).where(LINES.c.id.is_(None)).limit(REPORT_PAGE_MAX)
    while rows := connection.execute(bare).all():
        connection.execute(insert(LINES), [_line(row) for row in rows])
    if once:
        connection.execute(text("DROP TABLE drift_facts"))


def _line(row: Any) -> dict[str, Any]:
    mine = {"cluster": row.cluster, "id": row.id}
    if getattr(row, "known", None) is None:  # by a version that remembered no more
        known = "" if row.state == "unknown" else row.fingerprint
        kept = {"occurrences": 1, "known": known, "before": ""}
    else:
        kept = {"occurrences": row.occurrences, "known": row.known, "before": row.before}
    return line_of(row.body)._asdict() | mine | kept
