"""Owns the state of each source as people ask for it. Must not fetch or render."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import delete, insert, select

from reconciler.report.item import public_url
from reconciler.report.printable import printable
from reconciler.report.standing import mode_of
from reconciler.store.schema import MODES, SOURCES
from reconciler.store.state import State

SourceCondition = Literal[
    "Ready", "Pending", "Stale", "FetchFailed", "RefNotFound", "VerificationFailed", "RenderFailed", "LimitExceeded"
]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source now. `ref` is full (`refs/heads/main`, `refs/tags/*`, "" any): pushes are matched against it.

    `attempted` is the newest revision seen, `enforced` the one that is guarded: they differ while a render fails and
    the last good is kept. `since` is when `state` began; the store keeps it while the state stays the same.
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


def save_sources(state: State, found: Iterable[SourceStatus], configured: Iterable[str], now: str) -> None:
    """Store the present state of sources, and forget those that are configured no longer; `now` is RFC 3339."""
    for status in found:
        save_source(state, status, now)
    keep_sources(state, configured)


def save_source(state: State, status: SourceStatus, now: str) -> None:
    """Store the present state of a source; `now` is RFC 3339."""
    mine = (SOURCES.c.cluster == state.cluster) & (SOURCES.c.name == status.name)
    with state.write() as connection:
        before = connection.execute(select(SOURCES.c.state, SOURCES.c.since).where(mine)).first()
        since = before[1] if before and before[0] == status.state else now
        connection.execute(delete(SOURCES).where(mine))
        shown = {"url": public_url(status.url), "message": printable(status.message)}
        row = asdict(status) | shown | {"cluster": state.cluster, "since": since, "updated": now}
        connection.execute(insert(SOURCES).values(row))


def keep_sources(state: State, names: Iterable[str]) -> None:
    """Forget the sources that are configured no longer."""
    gone = SOURCES.c.name.not_in(list(names))
    with state.write() as connection:
        connection.execute(delete(SOURCES).where(SOURCES.c.cluster == state.cluster, gone))


def read_sources(state: State) -> list[dict[str, Any]]:
    """All sources as JSON objects, by name. `mode` is "new" until a source was compared with the cluster once."""
    mine = (MODES.c.cluster == SOURCES.c.cluster) & (MODES.c.name == SOURCES.c.name)
    query = select(SOURCES, MODES.c.enforced.label("mode")).join(MODES, mine, isouter=True)
    query = query.where(SOURCES.c.cluster == state.cluster).order_by(SOURCES.c.name)
    with state.read() as connection:
        return [{**row, "mode": mode_of(row["mode"])} for row in connection.execute(query).mappings()]
