"""Owns what outlives a restart of the corrections of an object. Must not decide whether or how soon to correct it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from reconciler.heal.backoff import Backoff
from reconciler.heal.fight import Fight
from reconciler.store.history import Event, add_events
from reconciler.store.schema import HEALING
from reconciler.store.state import State


@dataclass(frozen=True, slots=True)
class Remembered:
    """Of one object. Times are Unix seconds; `said` is why it could not be corrected, as it was last told."""

    backoff: Backoff
    fight: Fight
    said: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        one = self.backoff
        tries = {"wanted": one.wanted, "tries": one.tries, "last": one.last, "synced": one.synced}
        return {**tries, "rounds": [list(round_) for round_ in self.fight.rounds], "said": self.said}


def keep_healing(
    state: State,
    found: Mapping[str, Remembered | None],
    events: Sequence[tuple[str, Event, str, Mapping[str, Any]]] = (),
) -> None:
    """Remember of these objects, by id of the finding, no more and no less; None forgets one.

    `events` of the history (id, event, time, body) go into the same transaction. Raises StoreError.
    """
    if not found and not events:
        return
    with state.write() as connection:
        _keep(connection, state.cluster, found)
        add_events(connection, state.cluster, events)


def read_healing(state: State) -> dict[str, Remembered]:
    """What is remembered, by id of the finding. Raises StoreError."""
    query = select(HEALING.c.id, HEALING.c.body).where(HEALING.c.cluster == state.cluster)
    with state.read() as connection:
        return {row.id: _remembered(json.loads(row.body)) for row in connection.execute(query)}


def _keep(connection: Connection, cluster: str, found: Mapping[str, Remembered | None]) -> None:
    if found:
        one = delete(HEALING).where(HEALING.c.cluster == cluster, HEALING.c.id == bindparam("gone"))
        connection.execute(one, [{"gone": identity} for identity in found])
    rows = [
        {"cluster": cluster, "id": identity, "body": json.dumps(kept.as_json())}
        for identity, kept in found.items()
        if kept is not None
    ]
    if rows:
        connection.execute(insert(HEALING), rows)


def _remembered(body: Mapping[str, Any]) -> Remembered:
    rounds = tuple((float(at), str(opponent)) for at, opponent in body["rounds"])
    backoff = Backoff(body["wanted"], body["tries"], body["last"], body["synced"])
    return Remembered(backoff, Fight(rounds), body["said"])
