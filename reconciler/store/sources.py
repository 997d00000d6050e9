"""Owns the state of each source as people ask for it. Must not fetch or render."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, delete, insert, select

from reconciler.report.item import public_url
from reconciler.report.printable import printable
from reconciler.report.standing import mode_of
from reconciler.store.schema import MODES, SOURCE_FACTS, SOURCES
from reconciler.store.state import State

SourceCondition = Literal[
    "Ready",
    "Pending",
    "Stale",
    "FetchFailed",
    "RefNotFound",
    "VerifyFailed",
    "RenderFailed",
    "Held",
    "Suspended",
    "Unsupported",
]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source now. `ref` is full (`refs/heads/main`, `refs/tags/*`, "" any): pushes are matched against it.

    `attempted` is the newest revision seen, `enforced` the one that is guarded: they differ while a render fails and
    the last good is kept. `since` is when `state` began; the store keeps it while the state stays the same.
    `stale` is since when it could not be followed ("": not for long), `succeeded` when it last could: RFC 3339.
    `rewritten` is the commit that `attempted` does not descend from. `origin` is what defines it in another tool.
    `beside` are URL and full ref of the other repositories that it reads.
    """

    name: str
    state: SourceCondition
    url: str = ""
    ref: str = ""
    path: str = ""
    message: str = ""
    attempted: str = ""
    enforced: str = ""
    signer: str = ""
    objects: int = 0
    stale: str = ""
    succeeded: str = ""
    rewritten: str = ""
    origin: str = ""
    fetch_seconds: float = 0.0
    beside: tuple[tuple[str, str], ...] = ()


# What stands in the table of facts, and how it is called where people read it.
_NO_FACTS: Final = {"stale": "", "succeeded": "", "rewritten": "", "origin": "", "fetch_seconds": 0.0}
_FACTS: Final = (*_NO_FACTS, "beside")
_WIRE: Final = {"stale": "staleSince", "succeeded": "lastSuccess", "fetch_seconds": "fetchSeconds"}


def save_sources(state: State, found: Sequence[SourceStatus], now: str) -> None:
    """Store the present state of those sources that have another than is stored, and forget others; `now` is RFC 3339.

    It is asked for at every look at one source, so what all the others cost must not grow with them.
    """
    known = _stored(state)
    for status in found:
        if known.get(status.name) != _parts(status):
            save_source(state, status, now)
    if known.keys() - {status.name for status in found}:
        keep_sources(state, (status.name for status in found))


def save_source(state: State, status: SourceStatus, now: str) -> None:
    """Store the present state of a source; `now` is RFC 3339."""
    mine = (SOURCES.c.cluster == state.cluster) & (SOURCES.c.name == status.name)
    with state.write() as connection:
        before = connection.execute(select(SOURCES.c.state, SOURCES.c.since).where(mine)).first()
        since = before[1] if before and before[0] == status.state else now
        connection.execute(delete(SOURCES).where(mine))
        row, facts = _parts(status)
        times = {"since": since, "updated": now}
        connection.execute(insert(SOURCES).values(row | times | {"cluster": state.cluster}))
        connection.execute(delete(SOURCE_FACTS).where(_facts_of(state), SOURCE_FACTS.c.name == status.name))
        body = {"cluster": state.cluster, "name": status.name, "body": json.dumps(facts)}
        connection.execute(insert(SOURCE_FACTS).values(body))


def _parts(status: SourceStatus) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands of a source in its row, but for times, and in the table of facts."""
    row = asdict(status) | {"url": public_url(status.url), "message": printable(status.message)}
    facts = {name: row.pop(name) for name in _FACTS}
    # As it is read again: JSON has no tuples.
    return row, facts | {"beside": [{"url": public_url(url), "ref": ref} for url, ref in facts["beside"]]}


def _stored(state: State) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The parts of all sources as they are stored, by name."""
    facts = (SOURCE_FACTS.c.cluster == SOURCES.c.cluster) & (SOURCE_FACTS.c.name == SOURCES.c.name)
    columns = [column for column in SOURCES.c if column.name not in {"cluster", "since", "updated"}]
    query = select(*columns, SOURCE_FACTS.c.body).join(SOURCE_FACTS, facts, isouter=True)
    with state.read() as connection:
        rows = [dict(row) for row in connection.execute(query.where(SOURCES.c.cluster == state.cluster)).mappings()]
    bodies = [json.loads(row.pop("body") or "{}") for row in rows]
    return {row["name"]: (row, body) for row, body in zip(rows, bodies, strict=True)}


def keep_sources(state: State, names: Iterable[str]) -> None:
    """Forget the sources that are configured no longer."""
    kept = list(names)
    with state.write() as connection:
        connection.execute(delete(SOURCES).where(SOURCES.c.cluster == state.cluster, SOURCES.c.name.not_in(kept)))
        connection.execute(delete(SOURCE_FACTS).where(_facts_of(state), SOURCE_FACTS.c.name.not_in(kept)))


def read_sources(state: State) -> list[dict[str, Any]]:
    """All sources as JSON objects, by name. `mode` is "new" until a source was compared with the cluster once."""
    mine = (MODES.c.cluster == SOURCES.c.cluster) & (MODES.c.name == SOURCES.c.name)
    facts = (SOURCE_FACTS.c.cluster == SOURCES.c.cluster) & (SOURCE_FACTS.c.name == SOURCES.c.name)
    query = select(SOURCES, MODES.c.enforced.label("mode"), SOURCE_FACTS.c.body)
    query = query.join(MODES, mine, isouter=True).join(SOURCE_FACTS, facts, isouter=True)
    query = query.where(SOURCES.c.cluster == state.cluster).order_by(SOURCES.c.name)
    with state.read() as connection:
        return [_shown(dict(row)) for row in connection.execute(query).mappings()]


def read_successes(state: State, names: Collection[str]) -> dict[str, datetime]:
    """When each of these sources could last be followed, as far as that is known."""
    found = {row["name"]: row["lastSuccess"] for row in read_sources(state)}
    return {name: datetime.fromisoformat(found[name]) for name in names if found.get(name)}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    facts = _NO_FACTS | {"beside": []} | json.loads(row.pop("body") or "{}")
    shown = {_WIRE.get(name, name): value for name, value in facts.items()}
    return row | shown | {"mode": mode_of(row["mode"]), "stale": bool(facts["stale"])}


def _facts_of(state: State) -> ColumnElement[bool]:
    return SOURCE_FACTS.c.cluster == state.cluster
