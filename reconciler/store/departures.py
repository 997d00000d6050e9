"""Owns the look-up of the grants under which findings came about, in the record of decisions. Must not write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, and_, select

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.report.drift import DriftItem
from reconciler.report.granted import DEPARTURES, grant_of
from reconciler.store.schema import DECISIONS, GRANTS
from reconciler.store.state import State

_RECORDS: Final = 50


def with_grants(state: State, items: Iterable[DriftItem]) -> list[DriftItem]:
    """`items`, each that is not in sync with the grant under which it came about; of the first REPORT_PAGE_MAX of them.

    Raises StoreError.
    """
    found = list(items)
    drifted = [at for at, item in enumerate(found) if item.state in ("drifted", "missing", "extra")]
    with state.read() as connection:
        if drifted and _any(connection, state.cluster):
            for at in drifted[:REPORT_PAGE_MAX]:
                grant = grant_of(found[at], _records(connection, state.cluster, found[at]))
                found[at] = replace(found[at], grant=grant)
    return found


def _any(connection: Connection, cluster: str) -> bool:
    return connection.execute(select(GRANTS.c.id).where(GRANTS.c.cluster == cluster).limit(1)).first() is not None


def _records(connection: Connection, cluster: str, item: DriftItem) -> list[dict[str, Any]]:
    of_object = (DECISIONS.c.namespace == item.namespace, DECISIONS.c.name == item.name, DECISIONS.c.kind == item.kind)
    where = and_(DECISIONS.c.cluster == cluster, *of_object, DECISIONS.c.code.in_(DEPARTURES))
    rows = connection.execute(select(DECISIONS.c.body).where(where).order_by(DECISIONS.c.seq.desc()).limit(_RECORDS))
    records = [json.loads(body) for body in rows.scalars()]
    return [record for record in records if record.get("group", "") == item.group]
