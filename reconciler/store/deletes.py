"""Owns the look-up of who deleted what is missing, in the record of decisions. Must not write.

A GitOps writer may delete what Git declares (to make it anew, or ahead of our snapshot): if it stays away, that is why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, and_, select

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.report.drift import Attribution, DriftItem
from reconciler.report.printable import printable
from reconciler.store.schema import DECISIONS
from reconciler.store.state import State

# Stable: the code of the decision that lets a writer delete (docs/reference/decision-codes.md).
WRITER_DELETE: Final = "writer-delete"


def with_deletes(state: State, items: Iterable[DriftItem]) -> list[DriftItem]:
    """`items`, each missing one whose last write was a writer's delete with who and when; of REPORT_PAGE_MAX of them.

    Raises StoreError.
    """
    found = list(items)
    missing = [at for at, item in enumerate(found) if item.state == "missing"]
    with state.read() as connection:
        for at in missing[:REPORT_PAGE_MAX]:
            item = found[at]
            last = _last(connection, state.cluster, item)
            if last is not None and last["code"] == WRITER_DELETE:
                found[at] = _named(item, str(printable(last.get("user", ""))), last["time"])
    return found


def _named(item: DriftItem, user: str, time: str) -> DriftItem:
    reason = f"{user} deleted it at {time}, and it is not back although Git declares it"
    return replace(item, reason=reason, attribution=Attribution(user=user, time=time, confidence="admission"))


def _last(connection: Connection, cluster: str, item: DriftItem) -> dict[str, Any] | None:
    """The last write that was admitted, of the object or of its namespace, which takes it along."""
    own = (item.kind, item.group, item.namespace, item.name)
    namespace = ("Namespace", "", item.namespace, item.namespace)
    found = [one for place in (own, namespace) if (one := _record(connection, cluster, place))]
    return max(found, key=lambda one: str(one["time"]), default=None)


def _record(connection: Connection, cluster: str, place: tuple[str, str, str, str]) -> dict[str, Any] | None:
    kind, group, namespace, name = place
    named = (DECISIONS.c.namespace == namespace, DECISIONS.c.name == name, DECISIONS.c.kind == kind)
    where = and_(DECISIONS.c.cluster == cluster, *named, DECISIONS.c.allowed == 1)
    row = connection.execute(select(DECISIONS.c.body).where(where).order_by(DECISIONS.c.seq.desc()).limit(1)).scalar()
    record: dict[str, Any] | None = json.loads(row) if row else None
    return record if record and record.get("group", "") == group else None
