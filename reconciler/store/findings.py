"""Owns the current findings and what is known of the pass that found them. Must not make findings.

A finding keeps its `firstSeen` for as long as its object is in the table, whatever changes in between; what has
happened to it goes into the history in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select

from reconciler.limits import REPORT_PAGE
from reconciler.report.drift import DriftItem
from reconciler.report.lasting import Lasting, Stored, event_body, lasting, resolved
from reconciler.report.line import line_of
from reconciler.store.days import Count, count_days, open_day
from reconciler.store.history import Ended, Event, add_events, add_resolved, occurred
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.schema import DRIFT, LINES
from reconciler.store.state import State

FILTERS = {
    "namespace": DRIFT.c.namespace,
    "kind": DRIFT.c.kind,
    "name": DRIFT.c.name,
    "source": DRIFT.c.source,
    "state": DRIFT.c.state,
}


_ENDS: Final[Mapping[Ended, str]] = {
    "in-sync": "as Git says",
    "not-guarded": "not guarded",
    "gone": "it is gone, or Git declares it",
}
# States of what Git does not declare.
_UNDECLARED: Final = ("extra", "orphaned")


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


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a full pass could not see: findings by id, and kinds, by group and name, of which Git does not declare all.

    What was found there stays: that it was not seen does not mean that it is gone.
    """

    ids: Collection[str] = frozenset()
    kinds: Collection[tuple[str, str]] = frozenset()

    def holds(self, identity: str, state: str, kind: tuple[str, str]) -> bool:
        """Whether a finding is among it."""
        return identity in self.ids or (state == "extra" and kind in self.kinds)


def managed_key(kind: str, group: str, source: str) -> str:
    """The key of `Pass.managed`."""
    return f"{kind}.{group}|{source}" if group else f"{kind}|{source}"


def replace_findings(state: State, items: Iterable[DriftItem], observed: Pass, unseen: Unseen | None = None) -> None:
    """Store the result of a full pass: what it could see and did not find is gone. In-sync items are not stored."""
    found = {item.id: item for item in items}
    put_findings(state, found.values())
    end_pass(state, found, observed, unseen or Unseen())


def end_pass(state: State, found: Collection[str], observed: Pass, unseen: Unseen) -> None:
    """Store what is known of a full pass whose findings are stored: beside those it could not see, others are gone."""
    with state.write() as connection:
        stored = _stored(connection, state.cluster)
        gone = {
            one: row for one, row in stored.items() if one not in found and not unseen.holds(one, row.state, row.kind)
        }
        _keep(connection, state.cluster, {}, gone, observed.observed_at)
        open_day(connection, state.cluster, observed.observed_at)
        put_meta(connection, state.cluster, "pass", json.dumps(asdict(observed)))


def put_findings(state: State, items: Iterable[DriftItem]) -> None:
    """Store what a watch event or a single check found; an in-sync item removes the finding of its object."""
    found = {item.id: item for item in items}
    if not found:
        return
    with state.write() as connection:
        before = _stored(connection, state.cluster, list(found))
        _keep(connection, state.cluster, found, before, max(item.last_seen for item in found.values()))


def put_pass(state: State, observed: Pass) -> None:
    """Store what is known of the last full pass: its numbers move on between passes."""
    with state.write() as connection:
        put_meta(connection, state.cluster, "pass", json.dumps(asdict(observed)))


def drop_findings(state: State, ids: Iterable[str], at: str = "") -> None:
    """Forget findings of objects that are guarded no longer, since `at` (RFC 3339; "" is when each was last seen)."""
    with state.write() as connection:
        before = _stored(connection, state.cluster, list(ids))
        _keep(connection, state.cluster, {}, before, at)


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
    names = (LINES.c.api_group, LINES.c.kind, LINES.c.source, LINES.c.state)
    query = select(*names, func.count()).where(LINES.c.cluster == state.cluster).group_by(*names).order_by(*names)
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


@dataclass(frozen=True, slots=True)
class _Row:
    """What the tables hold of one finding; `before` is what it was when it last was known, "" where it is known."""

    state: str
    kind: tuple[str, str]
    stored: Stored
    before: str


def _stored(connection: Connection, cluster: str, ids: Sequence[str] | None = None) -> dict[str, _Row]:
    """What is stored by id; of these, or of all."""
    kept = (LINES.c.first_seen, LINES.c.occurrences, LINES.c.known, LINES.c.before)
    query = select(LINES.c.id, LINES.c.state, LINES.c.api_group, LINES.c.kind, *kept).where(LINES.c.cluster == cluster)
    chunks = [query] if ids is None else [query.where(LINES.c.id.in_(some)) for some in _chunks(ids)]
    return {row.id: _row_of(row) for chunk in chunks for row in connection.execute(chunk)}


def _row_of(row: Any) -> _Row:
    return _Row(row.state, (row.api_group, row.kind), Stored(row.first_seen, row.known, row.occurrences), row.before)


def _keep(
    connection: Connection, cluster: str, found: Mapping[str, DriftItem], before: Mapping[str, _Row], at: str
) -> None:
    """Replace what is stored `before` by what is found now, and note what has happened in between."""
    kept = [item for item in found.values() if item.state != "in-sync"]
    occurred_before = occurred(connection, cluster, [item.id for item in kept if item.id not in before])
    now = [lasting(item, _of(before, item.id), occurred_before.get(item.id, 0)) for item in kept]
    lost = [one.item.id for one in now if one.item.state == "unknown" and one.known]
    over = [identity for identity in before.keys() - {item.id for item in kept} if before[identity].stored.known]
    last = _bodies(connection, cluster, [*lost, *over], before)
    _delete(connection, cluster, list(before))
    _insert(connection, cluster, now, {identity: last[identity] for identity in lost})
    bodies = [resolved(json.loads(last[identity]), at) for identity in sorted(over)]
    add_resolved(connection, cluster, bodies)
    ended = (_ended(body, looked=body["id"] in found) for body in bodies)
    events = ((one.item.id, one.event, one.item.last_seen, event_body(one.item)) for one in now if one.event)
    add_events(connection, cluster, [*events, *ended])
    count_days(connection, cluster, _counted(now, bodies))


def _counted(now: Iterable[Lasting], over: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Count, str, str]]:
    """What began and what is over, when and in which namespace."""
    yield from (("found", one.item.last_seen, one.item.namespace) for one in now if one.event == "detected")
    yield from (("resolved", body["resolvedAt"], body["namespace"]) for body in over)


def _of(before: Mapping[str, _Row], identity: str) -> Stored | None:
    row = before.get(identity)
    return row.stored if row else None


def _ended(body: Mapping[str, Any], *, looked: bool) -> tuple[str, Event, str, dict[str, Any]]:
    """Why a finding is over: the object is as Git says, or nobody looks at it any more."""
    state = body["state"]
    code: Ended = "in-sync" if looked else "gone" if state in _UNDECLARED else "not-guarded"
    told = {"code": code, "reason": _ENDS[code], "state": state, "fingerprint": body["fingerprint"]}
    return body["id"], "resolved", body["resolvedAt"], told


def _bodies(connection: Connection, cluster: str, ids: Sequence[str], before: Mapping[str, _Row]) -> dict[str, str]:
    """The findings as they last were known."""
    held = {identity: before[identity].before for identity in ids if before[identity].before}
    for some in _chunks([identity for identity in ids if identity not in held]):
        query = select(DRIFT.c.id, DRIFT.c.body).where(DRIFT.c.cluster == cluster, DRIFT.c.id.in_(some))
        held |= {row.id: row.body for row in connection.execute(query)}
    return held


def _delete(connection: Connection, cluster: str, ids: Sequence[str]) -> None:
    for table in (DRIFT, LINES) if ids else ():
        one = delete(table).where(table.c.cluster == cluster, table.c.id == bindparam("gone"))
        connection.execute(one, [{"gone": identity} for identity in ids])


def _insert(connection: Connection, cluster: str, kept: Sequence[Lasting], before: Mapping[str, str]) -> None:
    if kept:
        rows = [_row(cluster, one.item) for one in kept]
        connection.execute(insert(DRIFT), rows)
        lines = [_line(one, row["body"], before) for one, row in zip(kept, rows, strict=True)]
        connection.execute(insert(LINES), lines)


def _row(cluster: str, item: DriftItem) -> dict[str, Any]:
    return {
        "cluster": cluster,
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
        "body": json.dumps(replace(item, cluster=cluster).as_json()),
    }


def _line(one: Lasting, body: str, before: Mapping[str, str]) -> dict[str, Any]:
    kept = {"occurrences": one.item.occurrences, "known": one.known, "before": before.get(one.item.id, "")}
    return line_of(body)._asdict() | kept


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + REPORT_PAGE] for start in range(0, len(ids), REPORT_PAGE))
