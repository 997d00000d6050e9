"""Owns reading the objects that are guarded and of which there is no finding. Must not write.

That there is none proves something only of a report that is current: whoever reads this asks for that first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import and_, select

from reconciler.model.ref import ObjectRef
from reconciler.report.field_selector import selected
from reconciler.report.in_sync import in_sync_item
from reconciler.report.line import Listed, line_of
from reconciler.report.query import Matching, Query
from reconciler.report.selector import selects
from reconciler.store.query import chosen
from reconciler.store.schema import ADOPTIONS, DRIFT
from reconciler.store.state import State

_BY_REF: Final = ("api_group", "kind", "namespace", "name")
_COLUMNS: Final = {
    "cluster": ADOPTIONS.c.cluster,
    "namespace": ADOPTIONS.c.namespace,
    "kind": ADOPTIONS.c.kind,
    "group": ADOPTIONS.c.api_group,
    "name": ADOPTIONS.c.name,
    "source": ADOPTIONS.c.source,
}


def read_in_sync(state: State, query: Query, labels: Mapping[str, Mapping[str, str]]) -> Matching:
    """All that the query chooses of what enforced sources declare and what has no finding. Raises StoreError.

    Sorted by what the query says where such an object has it, then by kind, namespace and name. `labels` are those of
    namespaces, by name.
    """
    with state.read() as connection:
        rows = connection.execute(_chosen(state, query)).all()
    found = [_item(state, row) for row in rows if selects(query.labels, labels.get(row.namespace, {}))]
    name = query.sort.removeprefix("-")
    if name in ("kind", "namespace", "name"):
        found.sort(key=itemgetter(name), reverse=query.sort.startswith("-"))
    elif name == "source":
        found.sort(key=lambda one: str(one["source"]["name"]), reverse=query.sort.startswith("-"))
    texts = [text for text in map(json.dumps, found) if not query.holds or selected(text, query.holds)]
    return Matching(texts, [Listed.of(line_of(text)) for text in texts])


def _chosen(state: State, query: Query) -> Any:
    found = and_(*(ADOPTIONS.c[name] == DRIFT.c[name] for name in ("cluster", *_BY_REF)))
    named = [ADOPTIONS.c[name] for name in _BY_REF]
    return (
        select(*named, ADOPTIONS.c.source, ADOPTIONS.c.adopted)
        .select_from(ADOPTIONS.outerjoin(DRIFT, found))
        .where(*chosen(_COLUMNS, query, state.cluster), DRIFT.c.id.is_(None))
        .order_by(ADOPTIONS.c.kind, ADOPTIONS.c.api_group, ADOPTIONS.c.namespace, ADOPTIONS.c.name)
    )


def _item(state: State, row: Any) -> dict[str, Any]:
    ref = ObjectRef(row.api_group, row.kind, row.namespace, row.name)
    return in_sync_item(ref, row.source, adopted=bool(row.adopted), cluster=state.cluster)
