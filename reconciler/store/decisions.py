"""Owns the record of admission decisions: one JSON line in, one row, never altered. Must not read a socket.

The admission server sends lines; a line that is no decision is refused with a StoreError and nothing else happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, func, insert, select

from reconciler.errors import StoreError
from reconciler.limits import DECISION_LINE_BYTES, REPORT_PAGE
from reconciler.report.printable import printable
from reconciler.store.schema import DECISIONS
from reconciler.store.state import State

FILTERS = {
    "namespace": DECISIONS.c.namespace,
    "kind": DECISIONS.c.kind,
    "name": DECISIONS.c.name,
    "code": DECISIONS.c.code,
    "user": DECISIONS.c.user,
}
_TEXTS = ("time", "code", "user", "operation", "kind", "namespace", "name")


def record(state: State, line: bytes) -> None:
    """Append one decision: a JSON object with `allowed` (bool), `code` and `time`. Raises StoreError."""
    record_all(state, [line])


def record_all(state: State, lines: list[bytes]) -> None:
    """Append several in one transaction: a burst of decisions costs one write to the disk."""
    rows = [_row(state.cluster, _parse(line)) for line in lines]
    if rows:
        with state.write() as connection:
            connection.execute(insert(DECISIONS), rows)


def read_decisions(
    state: State, filters: Mapping[str, str] | None = None, limit: int = REPORT_PAGE
) -> tuple[list[dict[str, Any]], int]:
    """Decisions as JSON objects, newest first, and how many match. `filters` has keys of FILTERS."""
    terms = [DECISIONS.c.cluster == state.cluster]
    for key, value in (filters or {}).items():
        column = FILTERS[key]
        terms.append(func.lower(column) == value.lower() if key == "kind" else column == value)
    page = select(DECISIONS.c.seq, DECISIONS.c.cluster, DECISIONS.c.body).where(and_(*terms))
    with state.read() as connection:
        total = connection.execute(select(func.count()).select_from(DECISIONS).where(and_(*terms))).scalar() or 0
        rows = connection.execute(page.order_by(DECISIONS.c.seq.desc()).limit(limit))
        return [{"seq": row[0], "cluster": row[1]} | json.loads(row[2]) for row in rows], total


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > DECISION_LINE_BYTES:
        raise StoreError(f"a decision of {len(line)} bytes: at most {DECISION_LINE_BYTES}")
    try:
        decision = json.loads(line)
    except (ValueError, RecursionError):
        raise StoreError("a decision that is not JSON") from None
    if not isinstance(decision, dict) or not isinstance(decision.get("allowed"), bool):
        raise StoreError("a decision without `allowed`")
    if not all(isinstance(decision.get(name), str) and decision[name] for name in ("code", "time")):
        raise StoreError("a decision without `code` or `time`")
    return decision


def _row(cluster: str, decision: dict[str, Any]) -> dict[str, Any]:
    shown = printable(decision)
    texts = {name: text if isinstance(text := shown.get(name), str) else "" for name in _TEXTS}
    return texts | {"cluster": cluster, "allowed": decision["allowed"], "body": json.dumps(shown)}
