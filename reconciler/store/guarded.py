"""Owns the answer to what is guarded, since when, at which commit. Must not decide it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import and_, func, select

from reconciler.store.schema import ADOPTIONS, GUARDED_SINCE
from reconciler.store.state import State

_BY_REF: Final = ("api_group", "kind", "namespace", "name")
FILTERS: Final = {name: ADOPTIONS.c[name] for name in ("namespace", "kind", "name", "source")}


def read_guarded(state: State, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int]:
    """A page of what is declared in enforced sources, sorted by kind, namespace and name, and how many match.

    `adopted` False: not enforced yet. `since` (RFC 3339) and `commit` are "" where nobody noted them. `kind` is matched
    in any case.
    """
    wanted = [ADOPTIONS.c.cluster == state.cluster]
    for name, value in filters.items():
        column = FILTERS[name]
        wanted.append(func.lower(column) == value.lower() if name == "kind" else column == value)
    same = and_(*(ADOPTIONS.c[name] == GUARDED_SINCE.c[name] for name in ("cluster", *_BY_REF)))
    named = [ADOPTIONS.c[name] for name in ("kind", "api_group", "namespace", "name")]
    query = (
        select(*named, ADOPTIONS.c.source, ADOPTIONS.c.adopted, GUARDED_SINCE.c.since, GUARDED_SINCE.c.at_commit)
        .select_from(ADOPTIONS.outerjoin(GUARDED_SINCE, same))
        .where(*wanted)
        .order_by(*named)
        .limit(limit)
    )
    with state.read() as connection:
        total = connection.execute(select(func.count()).select_from(ADOPTIONS).where(*wanted)).scalar_one()
        return [_item(row) for row in connection.execute(query)], int(total)


def _item(row: Any) -> dict[str, Any]:
    return {
        "group": row.api_group,
        "kind": row.kind,
        "namespace": row.namespace,
        "name": row.name,
        "source": row.source,
        "adopted": bool(row.adopted),
        "since": row.since or "",
        "commit": row.at_commit or "",
    }
