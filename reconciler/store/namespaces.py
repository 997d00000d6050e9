"""Owns the labels of the cluster's namespaces, as they were last seen. Must not look at a cluster or pick an owner."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from reconciler.store.schema import NAMESPACES
from reconciler.store.state import State


def keep_namespaces(state: State, labels: Mapping[str, Mapping[str, str]]) -> None:
    """These are all namespaces from now on, with their labels. Writes only what has changed. Raises StoreError."""
    before = read_namespaces(state)
    changed = [name for name in before.keys() | labels.keys() if before.get(name) != labels.get(name)]
    if not changed:
        return
    rows = [
        {"cluster": state.cluster, "name": name, "labels": json.dumps(dict(labels[name]), sort_keys=True)}
        for name in changed
        if name in labels
    ]
    gone = delete(NAMESPACES).where(NAMESPACES.c.cluster == state.cluster)
    with state.write() as connection:
        for name in changed:
            connection.execute(gone.where(NAMESPACES.c.name == name))
        if rows:
            connection.execute(insert(NAMESPACES), rows)


def read_namespaces(state: State) -> dict[str, dict[str, str]]:
    """Labels by namespace. Raises StoreError."""
    query = select(NAMESPACES.c.name, NAMESPACES.c.labels).where(NAMESPACES.c.cluster == state.cluster)
    with state.read() as connection:
        return {row.name: json.loads(row.labels) for row in connection.execute(query.order_by(NAMESPACES.c.name))}
