"""Owns single values of the state store by key. Must not know what they mean."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from reconciler.store.schema import META


def get_meta(connection: Connection, cluster: str, key: str) -> str:
    """The value, "" if there is none."""
    query = select(META.c.value).where(META.c.cluster == cluster, META.c.key == key)
    return str(connection.execute(query).scalar() or "")


def put_meta(connection: Connection, cluster: str, key: str, value: str) -> None:
    """Store the value in the caller's write transaction."""
    connection.execute(delete(META).where(META.c.cluster == cluster, META.c.key == key))
    connection.execute(insert(META).values(cluster=cluster, key=key, value=value))
