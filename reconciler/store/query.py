"""Owns reading findings and refused changes as they are asked for. Must not write, nor parse what people type.

What a list is chosen, sorted and counted by stands in the lines of findings; their bodies, many times as long, are read
when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from reconciler.report.drift import SEVERITIES
from reconciler.report.field_selector import selected
from reconciler.report.line import Line, Listed
from reconciler.report.query import Matching, Query
from reconciler.report.selector import selects
from reconciler.store.bodies import Bodies
from reconciler.store.schema import DECISIONS, LINES
from reconciler.store.state import State

_COLUMNS: Final = {
    "cluster": LINES.c.cluster,
    "namespace": LINES.c.namespace,
    "kind": LINES.c.kind,
    "group": LINES.c.api_group,
    "name": LINES.c.name,
    "source": LINES.c.source,
    "state": LINES.c.state,
    "severity": LINES.c.severity,
    "owner": LINES.c.team,
}
_SEARCHED: Final = ("kind", "namespace", "name", "source")
_RANK: Final = case({name: rank for rank, name in enumerate(SEVERITIES)}, value=LINES.c.severity, else_=len(SEVERITIES))
_SORTED: Final = _COLUMNS | {"firstSeen": LINES.c.first_seen, "lastSeen": LINES.c.last_seen, "severity": _RANK}


def read_matching(state: State, query: Query, labels: Mapping[str, Mapping[str, str]] | None = None) -> Matching:
    """All findings that the query chooses, in its order. `labels` are those of namespaces, by name.

    Reading its texts may raise StoreError, as this does.
    """
    with ExitStack() as held:
        connection = held.enter_context(state.read())
        wanted = select(*(LINES.c[name] for name in Listed._fields)).where(_where(state, query))
        lines = list(map(Listed._make, connection.execute(wanted.order_by(*_order(query.sort))).all()))
        if query.labels:
            known = labels or {}
            lines = [line for line in lines if selects(query.labels, known.get(line.namespace, {}))]
        texts = Bodies(connection, state.cluster, [line.id for line in lines], held.pop_all())
    matching = Matching(texts, lines, texts.close)
    return _holding(matching, query) if query.holds else matching


def read_lines(state: State, scope: frozenset[str] | None = None) -> list[Line]:
    """The lines of all findings, in no order; `scope`: of those in these namespaces. Raises StoreError."""
    wanted = select(*(LINES.c[name] for name in Line._fields)).where(_where(state, Query(scope=scope)))
    with state.read() as connection:
        return list(map(Line._make, connection.execute(wanted).all()))


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
        terms.append(LINES.c.first_seen >= query.since)
    if query.until:
        terms.append(LINES.c.first_seen <= query.until)
    return and_(*terms)


def _order(sort: str) -> Sequence[ColumnElement[Any]]:
    """By that, with a minus the other way round, and what is equal by when it began; by severity the worst first."""
    by: ColumnElement[Any] = _SORTED[sort.removeprefix("-")]
    return (by.desc() if sort.startswith("-") else by, LINES.c.first_seen, LINES.c.id)


def _holding(matching: Matching, query: Query) -> Matching:
    """Those whose bodies hold what is asked of these."""
    with matching:
        both = zip(matching.texts, matching.lines, strict=True)
        kept = [(text, line) for text, line in both if selected(text, query.holds)]
    return Matching([text for text, _ in kept], [line for _, line in kept])
