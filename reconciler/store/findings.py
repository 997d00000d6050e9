"""Owns the current findings and what is known of the pass that found them. Must not make findings.

A finding keeps its `firstSeen` for as long as its object is in the table, whatever changes in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from reconciler.limits import REPORT_PAGE
from reconciler.report.drift import DriftItem
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.schema import DRIFT
from reconciler.store.state import State

FILTERS = {
    "namespace": DRIFT.c.namespace,
    "kind": DRIFT.c.kind,
    "name": DRIFT.c.name,
    "source": DRIFT.c.source,
    "state": DRIFT.c.state,
}


@dataclass(frozen=True, slots=True)
class Pass:
    """One comparison of all guarded objects. `managed` counts them by (kind, source), as `Kind.group|source`.

    `hidden` counts the differing fields that each named rule hid; `expired` says which rules no longer hide anything,
    `problems` what of the desired state is left out or ambiguous.
    """

    observed_at: str = ""
    snapshot: str = ""
    managed: Mapping[str, int] = field(default_factory=dict)
    hidden: Mapping[str, int] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def managed_key(kind: str, group: str, source: str) -> str:
    """The key of `Pass.managed`."""
    return f"{kind}.{group}|{source}" if group else f"{kind}|{source}"


def replace_findings(state: State, items: Iterable[DriftItem], observed: Pass) -> None:
    """Store the result of a full pass: what it did not find is gone. In-sync items are not stored."""
    kept = {item.id: item for item in items if item.state != "in-sync"}
    with state.write() as connection:
        seen = _first_seen(connection, state.cluster)
        connection.execute(delete(DRIFT).where(DRIFT.c.cluster == state.cluster))
        _insert(connection, [_row(state, item, seen) for item in kept.values()])
        put_meta(connection, state.cluster, "pass", json.dumps(asdict(observed)))


def put_findings(state: State, items: Iterable[DriftItem]) -> None:
    """Store what a watch event or a single check found; an in-sync item removes the finding of its object."""
    latest = {item.id: item for item in items}
    with state.write() as connection:
        seen = _first_seen(connection, state.cluster, list(latest))
        _delete(connection, state.cluster, list(latest))
        _insert(connection, [_row(state, item, seen) for item in latest.values() if item.state != "in-sync"])


def drop_findings(state: State, ids: Iterable[str]) -> None:
    """Forget findings of objects that are guarded no longer."""
    with state.write() as connection:
        _delete(connection, state.cluster, list(ids))


def read_findings(
    state: State, filters: Mapping[str, str] | None = None, limit: int = REPORT_PAGE
) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
    """A page of findings as JSON objects, longest-lasting first; how many match; and how many by state.

    `filters` has keys of FILTERS; `kind` is taken in any case.
    """
    where = _where(state.cluster, filters or {})
    page = select(DRIFT.c.body).where(where).order_by(DRIFT.c.first_seen, DRIFT.c.id).limit(limit)
    counts = select(DRIFT.c.state, func.count()).where(where).group_by(DRIFT.c.state)
    with state.read() as connection:
        by_state = {name: count for name, count in connection.execute(counts)}  # noqa: C416 (rows, not tuples)
        return [json.loads(body) for body in connection.execute(page).scalars()], sum(by_state.values()), by_state


def read_finding(state: State, identity: str) -> dict[str, Any] | None:
    """One finding by its id."""
    query = select(DRIFT.c.body).where(DRIFT.c.cluster == state.cluster, DRIFT.c.id == identity)
    with state.read() as connection:
        body = connection.execute(query).scalar()
    return json.loads(body) if body is not None else None


def count_findings(state: State) -> list[tuple[str, str, str, str, int]]:
    """Counts for metrics: (group, kind, source, state, how many)."""
    names = (DRIFT.c.api_group, DRIFT.c.kind, DRIFT.c.source, DRIFT.c.state)
    query = select(*names, func.count()).where(DRIFT.c.cluster == state.cluster).group_by(*names).order_by(*names)
    with state.read() as connection:
        return [(row[0], row[1], row[2], row[3], row[4]) for row in connection.execute(query)]


def last_pass(state: State) -> Pass:
    """The last full pass; an empty one if there was none."""
    with state.read() as connection:
        text = get_meta(connection, state.cluster, "pass")
    if not text:
        return Pass()
    held = json.loads(text)
    return Pass(**held | {name: tuple(held.get(name, ())) for name in ("expired", "problems")})


def _where(cluster: str, filters: Mapping[str, str]) -> ColumnElement[bool]:
    terms = [DRIFT.c.cluster == cluster]
    for key, value in filters.items():
        column = FILTERS[key]
        terms.append(func.lower(column) == value.lower() if key == "kind" else column == value)
    return and_(*terms)


def _first_seen(connection: Connection, cluster: str, ids: Sequence[str] | None = None) -> dict[str, str]:
    query = select(DRIFT.c.id, DRIFT.c.first_seen).where(DRIFT.c.cluster == cluster)
    if ids is not None and len(ids) <= REPORT_PAGE:
        query = query.where(DRIFT.c.id.in_(ids))
    return {row[0]: row[1] for row in connection.execute(query)}


def _delete(connection: Connection, cluster: str, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), REPORT_PAGE):
        some = DRIFT.c.id.in_(ids[start : start + REPORT_PAGE])
        connection.execute(delete(DRIFT).where(DRIFT.c.cluster == cluster, some))


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(DRIFT), rows)


def _row(state: State, item: DriftItem, seen: Mapping[str, str]) -> dict[str, Any]:
    item = replace(item, cluster=state.cluster, first_seen=seen.get(item.id, item.first_seen))
    return {
        "cluster": state.cluster,
        "id": item.id,
        "fingerprint": item.fingerprint,
        "state": item.state,
        "api_group": item.group,
        "kind": item.kind,
        "namespace": item.namespace,
        "name": item.name,
        "source": item.source.name,
        "first_seen": item.first_seen,
        "last_seen": item.last_seen,
        "body": json.dumps(item.as_json()),
    }
