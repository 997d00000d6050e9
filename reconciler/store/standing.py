"""Owns what was decided once and for all: which sources are enforced, which objects are adopted. Must not decide."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Delete, Table, and_, bindparam, delete, insert, select

from reconciler.model.ref import ObjectRef
from reconciler.report.standing import Sight
from reconciler.store.schema import ADOPTIONS, GUARDED_SINCE, MODES
from reconciler.store.state import State

_BY_REF = ("api_group", "kind", "namespace", "name")


def read_modes(state: State) -> dict[str, bool]:
    """By source: True is enforced, False is watched; one that was never compared is not there."""
    query = select(MODES.c.name, MODES.c.enforced).where(MODES.c.cluster == state.cluster)
    with state.read() as connection:
        return {row[0]: bool(row[1]) for row in connection.execute(query)}


def read_sights(state: State) -> dict[ObjectRef, Sight]:
    """What was decided of each declared object."""
    columns = [ADOPTIONS.c[name] for name in (*_BY_REF, "source", "adopted", "uid")]
    query = select(*columns).where(ADOPTIONS.c.cluster == state.cluster)
    with state.read() as connection:
        rows = connection.execute(query)
        return {ObjectRef(*row[:4]): Sight(row.source, bool(row.adopted), row.uid) for row in rows}


def save_standing(
    state: State,
    modes: Mapping[str, bool],
    sights: Mapping[ObjectRef, Sight | None],
    now: str,
    commits: Mapping[str, str] | None = None,
) -> None:
    """Store new decisions, all or none; a sight of None is forgotten.

    `now` is RFC 3339, `commits` are those of the sources as they are now: what is adopted now is guarded since then.
    """
    named = [{"cluster": state.cluster, "name": name, "enforced": on, "since": now} for name, on in modes.items()]
    known = [
        _key(state, ref) | {"source": one.source, "adopted": one.adopted, "uid": one.uid}
        for ref, one in sights.items()
        if one is not None
    ]
    with state.write() as connection:
        for table, keys, gone, rows in (
            (MODES, ("cluster", "name"), named, named),
            (ADOPTIONS, ("cluster", *_BY_REF), [_key(state, ref) for ref in sights], known),
        ):
            if gone:
                connection.execute(_delete(table, keys), [{f"{key}_": row[key] for key in keys} for row in gone])
            if rows:
                connection.execute(insert(table), rows)
        _save_since(connection, state, sights, now, commits or {})


def _save_since(
    connection: Connection,
    state: State,
    sights: Mapping[ObjectRef, Sight | None],
    now: str,
    commits: Mapping[str, str],
) -> None:
    """The first word that an object is adopted is kept until it is not."""
    columns = [GUARDED_SINCE.c[name] for name in _BY_REF]
    query = select(*columns).where(GUARDED_SINCE.c.cluster == state.cluster)
    known = {ObjectRef(*row) for row in connection.execute(query)} if sights else set()
    kept = {ref: one for ref, one in sights.items() if one is not None and one.adopted}
    keys = ("cluster", *_BY_REF)
    if gone := [_key(state, ref) for ref in sights if ref in known and ref not in kept]:
        connection.execute(_delete(GUARDED_SINCE, keys), [{f"{key}_": row[key] for key in keys} for row in gone])
    new = {ref: one for ref, one in kept.items() if ref not in known}
    if rows := [
        _key(state, ref) | {"since": now, "at_commit": commits.get(one.source, "")} for ref, one in new.items()
    ]:
        connection.execute(insert(GUARDED_SINCE), rows)


def _key(state: State, ref: ObjectRef) -> dict[str, object]:
    return {
        "cluster": state.cluster, "api_group": ref.group, "kind": ref.kind,
        "namespace": ref.namespace, "name": ref.name,
    }  # fmt: skip


def _delete(table: Table, keys: tuple[str, ...]) -> Delete:
    return delete(table).where(and_(*(table.c[key] == bindparam(f"{key}_") for key in keys)))
