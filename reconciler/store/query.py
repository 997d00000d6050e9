"""Owns reading findings and refused changes as they are asked for. Must not write, nor parse what people type.

What has a column is chosen by the database. Severity and owner stand beside findings; of one that an earlier version
has stored they are looked for in its body, without decoding the rest of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select

from reconciler.report.drift import SEVERITIES
from reconciler.report.field_selector import selected
from reconciler.report.query import Matching, Query
from reconciler.report.selector import selects
from reconciler.store.schema import DECISIONS, DRIFT, DRIFT_FACTS, SAME_FINDING
from reconciler.store.state import State

_COLUMNS: Final = {
    "cluster": DRIFT.c.cluster,
    "namespace": DRIFT.c.namespace,
    "kind": DRIFT.c.kind,
    "group": DRIFT.c.api_group,
    "name": DRIFT.c.name,
    "source": DRIFT.c.source,
    "state": DRIFT.c.state,
    "firstSeen": DRIFT.c.first_seen,
    "lastSeen": DRIFT.c.last_seen,
}
_SEARCHED: Final = ("kind", "namespace", "name", "source")
_WORST: Final[dict[str, int]] = {name: place for place, name in enumerate(SEVERITIES)}


class _Owner(msgspec.Struct):
    team: str = ""


class _Body(msgspec.Struct):
    severity: str = "medium"
    owner: _Owner = msgspec.field(default_factory=_Owner)


_decode: Final = msgspec.json.Decoder(_Body).decode


def read_matching(state: State, query: Query, labels: Mapping[str, Mapping[str, str]] | None = None) -> Matching:
    """All findings that the query chooses, in its order. `labels` are those of namespaces, by name."""
    name = query.sort.removeprefix("-")
    by = (_COLUMNS.get(name, DRIFT.c.first_seen), DRIFT.c.first_seen, DRIFT.c.id, DRIFT.c.state, DRIFT.c.namespace)
    beside = _asks_beside(query)
    columns = (*by, DRIFT.c.body, *((DRIFT_FACTS.c.severity, DRIFT_FACTS.c.team) if beside else ()))
    # Sorted here, and by first_seen and id where that is equal: the database would carry each body along.
    wanted = select(*(column.label(f"c{place}") for place, column in enumerate(columns)))
    wanted = wanted.select_from(DRIFT.outerjoin(DRIFT_FACTS, SAME_FINDING)) if beside else wanted
    with state.read() as connection:
        rows: Sequence[Any] = connection.execute(wanted.where(_where(state, query))).all()
    if query.labels:
        known = labels or {}
        rows = [row for row in rows if selects(query.labels, known.get(row[4], {}))]
    if query.holds:
        rows = [row for row in rows if selected(row[5], query.holds)]
    rows = sorted(rows, key=itemgetter(1, 2))
    rows = _by_beside(rows, query) if beside else rows
    if name != "severity":
        rows = sorted(rows, key=itemgetter(0), reverse=query.sort.startswith("-"))
    return Matching([row[5] for row in rows], Counter(row[3] for row in rows))


def count_denials(state: State, since: str, scope: frozenset[str] | None = None) -> list[tuple[str, str, str, int]]:
    """Changes that were refused since then (RFC 3339): (namespace, kind, source, how many)."""
    names = (DECISIONS.c.namespace, DECISIONS.c.kind, DECISIONS.c.source)
    terms = [DECISIONS.c.cluster == state.cluster, DECISIONS.c.allowed == 0, DECISIONS.c.time >= since]
    if scope is not None:
        terms.append(DECISIONS.c.namespace.in_(sorted(scope)))
    query = select(*names, func.count()).where(and_(*terms)).group_by(*names).order_by(*names)
    with state.read() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def chosen(columns: Mapping[str, ColumnElement[Any]], query: Query, cluster: str) -> list[ColumnElement[bool]]:
    """What of the query a table with these columns (by names of parameters) can choose by itself."""
    terms = [columns["cluster"] == cluster]
    for name, value in query.equal.items():
        if name in columns:
            column = columns[name]
            terms.append(func.lower(column) == value.lower() if name == "kind" else column == value)
    if query.search:
        terms.append(or_(*(columns[name].icontains(query.search, autoescape=True) for name in _SEARCHED)))
    if query.scope is not None:
        terms.append(columns["namespace"].in_(sorted(query.scope)))
    return terms


def _where(state: State, query: Query) -> ColumnElement[bool]:
    terms = chosen(_COLUMNS, query, state.cluster)
    if query.since:
        terms.append(DRIFT.c.first_seen >= query.since)
    if query.until:
        terms.append(DRIFT.c.first_seen <= query.until)
    return and_(*terms)


def _asks_beside(query: Query) -> bool:
    return query.sort.removeprefix("-") == "severity" or not {"severity", "owner"}.isdisjoint(query.equal)


def _by_beside(rows: Iterable[Any], query: Query) -> Sequence[Any]:
    """The rows of the severity and owner asked for; by severity the worst comes first, or last with a minus."""
    known: list[tuple[str, str, Any]] = [(*_beside(row), row) for row in rows]
    for place, name in enumerate(("severity", "owner")):
        if name in query.equal:
            known = [one for one in known if one[place] == query.equal[name]]
    if query.sort.removeprefix("-") == "severity":
        ranked = [(_WORST.get(one[0], len(_WORST)), one) for one in known]
        known = [one for _, one in sorted(ranked, key=itemgetter(0), reverse=query.sort.startswith("-"))]
    return [row for _, _, row in known]


def _beside(row: Any) -> tuple[str, str]:
    if row[6] is not None:
        return row[6], row[7]
    found = _decode(row[5])
    return found.severity, found.owner.team
