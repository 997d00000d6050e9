"""Owns the look-up of the writes by which findings came about: in the record of decisions, and in the audit log's.

Must not write, nor say who is to be named.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_

from reconciler.limits import ATTRIBUTED_RECORDS, REPORT_PAGE
from reconciler.model.ref import ObjectRef
from reconciler.report.granted import DEPARTURES, Record
from reconciler.store.schema import DECISIONS, SLIPPED
from reconciler.store.state import State

Records = Mapping[ObjectRef, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Writes:
    """Admitted decisions by object, newest first: those that let it away from Git, and all about what is missing."""

    departures: Records
    deletes: Records

    def of(self, ref: ObjectRef) -> Sequence[Record]:
        """What is known of the object itself."""
        return self.deletes.get(ref) or self.departures.get(ref) or ()

    def around(self, ref: ObjectRef) -> Sequence[Record]:
        """What is known of the namespace that it was in."""
        return self.deletes.get(_namespace(ref), ()) if ref.namespace else ()


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What the API server's audit log tells of, newest first, by group, namespace and name; it knows no kinds."""

    known: tuple[int, str]
    writes: Mapping[tuple[str, str, str], Sequence[Record]]

    def of(self, ref: ObjectRef, resource: str) -> Sequence[Record]:
        """Those of one object; `resource` is the plural of its kind, "" where that is not known."""
        found = self.writes.get((ref.group, ref.namespace, ref.name), ())
        return [one for one in found if resource and one.get("resource") == resource]


def read_writes(state: State, drifted: Iterable[ObjectRef], missing: Iterable[ObjectRef]) -> Writes:
    """What is known of who wrote these, and of who took those away, or their namespaces. Raises StoreError.

    Of one object at most ATTRIBUTED_RECORDS.
    """
    gone = list(missing)
    around = {_namespace(ref) for ref in gone if ref.namespace}
    with state.read() as connection:
        departures = _records(connection, state.cluster, drifted, DECISIONS.c.code.in_(DEPARTURES))
        deletes = _records(connection, state.cluster, (*gone, *sorted(around)), DECISIONS.c.allowed == 1)
        return Writes(departures, deletes)


def read_unjudged(state: State, before: Unjudged | None = None) -> Unjudged:
    """Writes that nobody judged; the same as `before` where there are no others. Raises StoreError."""
    mine = SLIPPED.c.cluster == state.cluster
    with state.read() as connection:
        count, last = connection.execute(select(func.count(), func.max(SLIPPED.c.time)).where(mine)).one()
        if before is not None and before.known == (count, last or ""):
            return before
        rows = select(SLIPPED.c.body).where(mine).order_by(SLIPPED.c.time.desc())
        found: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
        for body in connection.execute(rows).scalars():
            write = json.loads(body)
            found[str(write["group"]), str(write["namespace"]), str(write["name"])].append(write)
    return Unjudged((count, last or ""), dict(found))


def _namespace(ref: ObjectRef) -> ObjectRef:
    return ObjectRef("", "Namespace", ref.namespace, ref.namespace)


def _records(
    connection: Connection, cluster: str, refs: Iterable[ObjectRef], which: ColumnElement[bool]
) -> dict[ObjectRef, list[Record]]:
    found: dict[ObjectRef, list[Record]] = defaultdict(list)
    for some in _chunks(list(refs)):
        named = tuple_(DECISIONS.c.namespace, DECISIONS.c.name).in_([(ref.namespace, ref.name) for ref in some])
        mine = and_(DECISIONS.c.cluster == cluster, named, which)
        one = (DECISIONS.c.namespace, DECISIONS.c.name, DECISIONS.c.kind)
        place = func.row_number().over(partition_by=one, order_by=DECISIONS.c.seq.desc())
        ranked = select(DECISIONS.c.seq, place.label("place")).where(mine).subquery()
        newest = select(ranked.c.seq).where(ranked.c.place <= ATTRIBUTED_RECORDS)
        rows = select(DECISIONS.c.body).where(DECISIONS.c.cluster == cluster, DECISIONS.c.seq.in_(newest))
        for body in connection.execute(rows.order_by(DECISIONS.c.seq.desc())).scalars():
            record = json.loads(body)
            found[_ref(record)].append(record)
    return dict(found)


def _ref(record: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(*(str(record.get(part, "")) for part in ("group", "kind", "namespace", "name")))


def _chunks(refs: Sequence[ObjectRef]) -> Iterator[Sequence[ObjectRef]]:
    return (refs[start : start + REPORT_PAGE] for start in range(0, len(refs), REPORT_PAGE))
