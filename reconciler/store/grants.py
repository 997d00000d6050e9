"""Owns the stored grants: made once, revoked at most once, never deleted. Must not judge or read documents.

The admission server does not read this table: `publish` hands on what may hold, one writer at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from reconciler.errors import UsageError
from reconciler.limits import GRANT_BYTES, GRANTS_IN_FORCE
from reconciler.model.instant import stamp_of
from reconciler.policy.grant import Grant
from reconciler.policy.grant_file import dump
from reconciler.policy.granting import NOT_ALLOWED
from reconciler.store.schema import GRANTS
from reconciler.store.state import State


def add_grant(state: State, grant: Grant, asked: str, now: float) -> Grant:
    """Store a grant made from a spec `asked`, at `now` (Unix seconds); returns it as it stands in the store.

    The same id with the same spec is the same grant, whatever has become of it. Raises UsageError for an id that stands
    for another grant, or if as many as may be are in force; StoreError.
    """
    if len(_body(grant)) > GRANT_BYTES:
        raise UsageError(f"grant {grant.id!r} is over {GRANT_BYTES} bytes", hint="shorten its scope")
    with state.write() as connection:
        if known := _find(connection, state.cluster, grant.id):
            return _same(*known, asked)
        if _count(connection, state.cluster, now) >= GRANTS_IN_FORCE:
            hint = "revoke what nobody needs: `setscrew grant list`"
            raise UsageError(f"{GRANTS_IN_FORCE} grants are in force, no more may be", hint=hint, code=NOT_ALLOWED)
        row = {"cluster": state.cluster, "id": grant.id, "not_after": stamp_of(grant.not_after), "revoked": ""}
        connection.execute(insert(GRANTS).values(row | {"asked": asked, "body": _body(grant)}))
    return grant


def find_grant(state: State, identity: str, asked: str) -> Grant | None:
    """The grant of this id that was made from this spec, if there is one. Raises UsageError if it was another spec."""
    with state.read() as connection:
        known = _find(connection, state.cluster, identity)
    return _same(*known, asked) if known else None


def revoke_grant(state: State, identity: str, now: float, *, by: str, reason: str) -> Grant:
    """Revoke a grant from `now` on; returns it as it stands. One that has ended already, or is revoked, stays as it is.

    Raises UsageError for an id that nobody knows; StoreError.
    """
    with state.write() as connection:
        known = _find(connection, state.cluster, identity)
        if known is None:
            raise UsageError(f"there is no grant {identity!r}", hint="see `setscrew grant list`")
        grant = known[0]
        if grant.revoked or grant.not_after <= now:
            return grant
        grant = replace(grant, revoked=float(int(now)), revoked_by=by, revoked_for=reason)
        where = and_(GRANTS.c.cluster == state.cluster, GRANTS.c.id == identity)
        connection.execute(update(GRANTS).where(where).values(revoked=stamp_of(now), body=_body(grant)))
    return grant


def mirror_grants(state: State, found: Mapping[str, Grant], origin: str, now: float) -> bool:
    """Make the grants of an `origin` that hold just those that are `found` there, by id; True if anything is new.

    What was stored stays as it was: a grant that says something else now is another one, under the same id, and one
    that is found no longer is revoked. Raises StoreError.
    """
    with state.write() as connection:
        query = select(GRANTS.c.id, GRANTS.c.body).where(GRANTS.c.cluster == state.cluster)
        rows = {str(row): msgspec.json.decode(body, type=Grant) for row, body in connection.execute(query)}
        own = {row: one for row, one in rows.items() if one.created_by == origin}
        standing = {one.id: row for row, one in own.items() if not one.revoked}
        for name in standing.keys() | found.keys():
            row, grant = standing.get(name), found.get(name)
            if row is not None and own[row] != grant:
                why = (grant.revoked_for or "it says something else now") if grant else "its object is gone"
                ended = replace(own[row], revoked=float(int(now)), revoked_by=origin, revoked_for=why)
                where = and_(GRANTS.c.cluster == state.cluster, GRANTS.c.id == row)
                connection.execute(update(GRANTS).where(where).values(revoked=stamp_of(now), body=_body(ended)))
            if grant is not None and not grant.revoked and (row is None or own[row] != grant):
                free = next(one for one in _names(name) if one not in rows)
                values = {"cluster": state.cluster, "id": free, "not_after": stamp_of(grant.not_after), "revoked": ""}
                connection.execute(insert(GRANTS).values(values | {"asked": origin, "body": _body(grant)}))
        wanted = {name: one for name, one in found.items() if not one.revoked}
        return {name: own[row] for name, row in standing.items()} != wanted


def _names(name: str) -> Iterator[str]:
    """Names of rows for grants of one id; a dot is in no id."""
    yield name
    yield from (f"{name}.{number}" for number in count(2))


def read_grants(state: State) -> list[Grant]:
    """All grants that there ever were, newest first."""
    with state.read() as connection:
        bodies = connection.execute(select(GRANTS.c.body).where(GRANTS.c.cluster == state.cluster)).scalars()
        grants = [msgspec.json.decode(body, type=Grant) for body in bodies]
    return sorted(grants, key=lambda grant: (-grant.created, grant.id))


def publish_grants(state: State, now: float, write: Callable[[bytes], None]) -> None:
    """Hand the file of all grants that may hold from `now` on to `write`, while nobody else writes to the store."""
    with state.write() as connection:
        query = select(GRANTS.c.body).where(_not_ended(state.cluster, now)).order_by(GRANTS.c.id)
        bodies = connection.execute(query).scalars()
        write(dump(msgspec.json.decode(body, type=Grant) for body in bodies))


def _find(connection: Connection, cluster: str, identity: str) -> tuple[Grant, str] | None:
    where = and_(GRANTS.c.cluster == cluster, GRANTS.c.id == identity)
    row = connection.execute(select(GRANTS.c.body, GRANTS.c.asked).where(where)).first()
    return None if row is None else (msgspec.json.decode(row[0], type=Grant), str(row[1]))


def _same(grant: Grant, before: str, asked: str) -> Grant:
    if before != asked:
        hint = "ids are never used again: give it another name"
        raise UsageError(f"grant {grant.id!r} was made before, and said something else", hint=hint)
    return grant


def _count(connection: Connection, cluster: str, now: float) -> int:
    query = select(func.count()).select_from(GRANTS).where(_not_ended(cluster, now))
    return connection.execute(query).scalar() or 0


def _not_ended(cluster: str, now: float) -> ColumnElement[bool]:
    return and_(GRANTS.c.cluster == cluster, GRANTS.c.revoked == "", GRANTS.c.not_after > stamp_of(now))


def _body(grant: Grant) -> str:
    return msgspec.json.encode(grant).decode()
