"""Owns what Git has dropped, for as long as the cluster still holds it. Must not look there, nor decide what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from reconciler.limits import DROPPED_KEPT
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.report.drift import DriftSource
from reconciler.report.orphan import Dropped
from reconciler.store.schema import DROPPED
from reconciler.store.state import State


def keep_dropped(state: State, found: Iterable[Dropped], since: str) -> None:
    """Remember what was dropped at `since` (RFC 3339). Raises StoreError."""
    rows = {one.ref: _row(state.cluster, one, since) for one in found}
    if not rows:
        return
    with state.write() as connection:
        for ref in rows:
            connection.execute(delete(DROPPED).where(_is(state.cluster, ref)))
        connection.execute(insert(DROPPED), list(rows.values())[-DROPPED_KEPT:])
        mine = DROPPED.c.cluster == state.cluster
        newest = select(DROPPED.c.since).where(mine).order_by(DROPPED.c.since.desc())
        oldest = connection.execute(newest.offset(DROPPED_KEPT).limit(1)).scalar()
        if oldest is not None:
            connection.execute(delete(DROPPED).where(mine, DROPPED.c.since <= oldest))


def read_dropped(state: State) -> dict[ObjectRef, tuple[Dropped, str]]:
    """What is remembered, each with the uid of the object as it was first seen after that. Raises StoreError."""
    query = select(DROPPED).where(DROPPED.c.cluster == state.cluster)
    with state.read() as connection:
        rows = connection.execute(query).all()
    return {_ref(row): (_dropped(_ref(row), json.loads(row.body)), row.uid) for row in rows}


def settle_dropped(state: State, gone: Iterable[ObjectRef], uids: Mapping[ObjectRef, str]) -> None:
    """Forget what is gone or declared again, and note whom the others are. Raises StoreError."""
    gone = tuple(gone)
    if not gone and not uids:
        return
    with state.write() as connection:
        for ref in gone:
            connection.execute(delete(DROPPED).where(_is(state.cluster, ref)))
        for ref, uid in uids.items():
            connection.execute(update(DROPPED).where(_is(state.cluster, ref)).values(uid=uid))


def _is(cluster: str, ref: ObjectRef) -> ColumnElement[bool]:
    named = (DROPPED.c.namespace == ref.namespace, DROPPED.c.name == ref.name)
    return and_(DROPPED.c.cluster == cluster, DROPPED.c.api_group == ref.group, DROPPED.c.kind == ref.kind, *named)


def _ref(row: Any) -> ObjectRef:
    return ObjectRef(row.api_group, row.kind, row.namespace, row.name)


def _row(cluster: str, one: Dropped, since: str) -> dict[str, Any]:
    ref = one.ref
    body = {
        "kind": asdict(one.kind),
        "source": asdict(one.source),
        "revision": one.revision,
        "kept": one.kept,
        "metadata": one.metadata,
    }
    named = {"api_group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    return {"cluster": cluster, **named, "since": since, "uid": "", "body": json.dumps(body)}


def _dropped(ref: ObjectRef, body: Mapping[str, Any]) -> Dropped:
    kind = KindInfo(**body["kind"] | {"subresources": tuple(body["kind"]["subresources"])})
    return Dropped(ref, kind, DriftSource(**body["source"]), body["revision"], body["kept"], body["metadata"])
