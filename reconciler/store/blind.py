"""Owns the spans of blindness and the writes that passed in them, as they are kept. Must not find any.

What happens is kept in memory first: a disk that is full for a while loses no span, it is written when it can be.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from reconciler.errors import StoreError
from reconciler.limits import BLIND_ENTRIES, BLIND_SPANS_KEPT, SLIPPED_KEPT
from reconciler.model.blind import Blind, BlindCause, Slipped
from reconciler.model.instant import stamp
from reconciler.report.blind import blind_line
from reconciler.report.printable import one_line
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.schema import BLIND, SLIPPED
from reconciler.store.state import State

_WATCHES = ("canary", "failOpen", "auditLog")
# Beside them: the registration as the API server last took it.
REGISTERED = "registration"


def _nobody() -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class _Span:
    """`seen`: when it was last known to be so."""

    id: str
    blind: Blind
    seen: datetime

    def as_json(self) -> dict[str, Any]:
        one = self.blind
        return {
            "id": self.id,
            "cause": one.cause,
            "since": stamp(one.since),
            "until": stamp(one.until) if one.until else "",
            "seen": stamp(self.seen),
            "entries": list(one.entries),
            "writes": one.writes,
            "detail": one.detail,
        }


@dataclass(slots=True)
class StoredBlindLog:
    """See `reconciler.model.blind.BlindLog`. `changed` is called when a span begins or ends: what slipped by is drift.

    A span that was open when the process before this one ended goes on, and says that nobody looked in between.
    Raises StoreError when it is made, and never after.
    """

    state: State
    say: Callable[[str], None]
    now: Callable[[], datetime]
    changed: Callable[[], None] = _nobody
    _open: dict[BlindCause, _Span] = field(default_factory=dict)
    _unsaved: dict[str, _Span] = field(default_factory=dict)
    _failed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        now = self.now()
        for span in _read_open(self.state):
            told = f"nobody looked from {stamp(span.seen)} to {stamp(now)}, when the reconciler did not run"
            detail = f"{span.blind.detail}; {told}" if span.blind.detail else told
            self._keep(replace(span, blind=_bounded(replace(span.blind, detail=detail))))

    def begin(self, blind: Blind) -> None:
        """See BlindLog."""
        with self._lock:
            before = self._open.get(blind.cause)
            known = _bounded(blind) if before is None else _joined(before.blind, _bounded(blind))
            self._keep(_Span(before.id if before else secrets.token_hex(8), known, self.now()))
            shown = blind_line(self._open[blind.cause].as_json()) if before is None else ""
        self.flush()
        if shown:
            self.say(shown)
            self.changed()

    def end(self, cause: BlindCause, until: datetime) -> None:
        """See BlindLog."""
        with self._lock:
            span = self._open.pop(cause, None)
            if span is None:
                return
            ended = replace(span.blind, until=max(until, span.blind.since))
            self._unsaved[span.id] = done = replace(span, blind=ended, seen=self.now())
        self.say(f"over: {blind_line(done.as_json())}")
        self.flush()
        self.changed()

    def flush(self) -> None:
        """Write what could not be written yet."""
        with self._lock:
            try:
                if self._unsaved:
                    _save(self.state, self._unsaved.values())
            except StoreError as error:
                if not self._failed:
                    self.say(f"a span of blindness is kept in memory for now: {error}")
                self._failed = True
            else:
                self._unsaved.clear()
                self._failed = False

    def _keep(self, span: _Span) -> None:
        self._open[span.blind.cause] = self._unsaved[span.id] = span
        for identity in list(self._unsaved)[:-BLIND_SPANS_KEPT]:
            del self._unsaved[identity]


def read_blind(state: State, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The newest spans as JSON objects, and how many there are; `until` is "" while one is open."""
    mine = BLIND.c.cluster == state.cluster
    query = select(BLIND.c.body).where(mine).order_by(BLIND.c.until != "", BLIND.c.since.desc()).limit(limit)
    with state.read() as connection:
        total = connection.execute(select(func.count()).where(mine)).scalar()
        return [json.loads(body) for body in connection.execute(query).scalars()], int(total or 0)


def keep_slipped(state: State, found: Iterable[Slipped]) -> None:
    """Remember writes that slipped through; one that is known stays as it is. Raises StoreError."""
    newest = list(found)[-SLIPPED_KEPT:]
    rows = {one.id: {"cluster": state.cluster, "id": one.id, "time": one.time, "body": _dump(one)} for one in newest}
    if not rows:
        return
    mine = SLIPPED.c.cluster == state.cluster
    with state.write() as connection:
        connection.execute(delete(SLIPPED).where(mine, SLIPPED.c.id.in_(list(rows))))
        connection.execute(insert(SLIPPED), list(rows.values()))
        kept = select(SLIPPED.c.time).where(mine).order_by(SLIPPED.c.time.desc())
        oldest = connection.execute(kept.offset(SLIPPED_KEPT).limit(1)).scalar()
        if oldest is not None:
            connection.execute(delete(SLIPPED).where(mine, SLIPPED.c.time <= oldest))


def read_slipped(state: State, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The newest writes that slipped through, and how many are remembered."""
    mine = SLIPPED.c.cluster == state.cluster
    query = select(SLIPPED.c.body).where(mine).order_by(SLIPPED.c.time.desc(), SLIPPED.c.id).limit(limit)
    with state.read() as connection:
        total = connection.execute(select(func.count()).where(mine)).scalar()
        return [json.loads(body) for body in connection.execute(query).scalars()], int(total or 0)


def save_watch(state: State, name: str, found: Mapping[str, Any]) -> None:
    """Store how one of the watches stands (`canary`, `failOpen`, `auditLog`), or what it must remember."""
    with state.write() as connection:
        put_meta(connection, state.cluster, f"watch:{name}", json.dumps(found))


def read_watch(state: State, name: str) -> dict[str, Any]:
    """What was stored under that name; empty where nothing was."""
    with state.read() as connection:
        return _watch(connection, state.cluster, name)


def read_watches(state: State) -> dict[str, dict[str, Any]]:
    """How the watches stand, by name."""
    with state.read() as connection:
        return {name: found for name in _WATCHES if (found := _watch(connection, state.cluster, name))}


def _watch(connection: Connection, cluster: str, name: str) -> dict[str, Any]:
    text = get_meta(connection, cluster, f"watch:{name}")
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _bounded(blind: Blind) -> Blind:
    entries = tuple(one_line(name) for name in blind.entries[:BLIND_ENTRIES])
    return replace(blind, entries=entries, detail=one_line(blind.detail))


def _joined(before: Blind, more: Blind) -> Blind:
    entries = tuple(dict.fromkeys((*before.entries, *more.entries)))[:BLIND_ENTRIES]
    counted = [one.writes for one in (before, more) if one.writes is not None]
    return Blind(
        cause=before.cause,
        since=min(before.since, more.since),
        # No entries stand for all of them.
        entries=entries if before.entries and more.entries else (),
        writes=sum(counted) if counted else None,
        detail=more.detail or before.detail,
    )


def _read_open(state: State) -> list[_Span]:
    mine = (BLIND.c.cluster == state.cluster) & (BLIND.c.until == "")
    query = select(BLIND.c.body).where(mine).order_by(BLIND.c.since)
    with state.read() as connection:
        return [_span(json.loads(body)) for body in connection.execute(query).scalars()]


def _span(body: Mapping[str, Any]) -> _Span:
    blind = Blind(
        cause=body["cause"],
        since=datetime.fromisoformat(body["since"]),
        entries=tuple(body["entries"]),
        writes=body["writes"],
        detail=body["detail"],
    )
    return _Span(body["id"], blind, datetime.fromisoformat(body["seen"]))


def _save(state: State, spans: Iterable[_Span]) -> None:
    rows = [_row(state.cluster, span.as_json()) for span in spans]
    mine = BLIND.c.cluster == state.cluster
    with state.write() as connection:
        connection.execute(delete(BLIND).where(mine, BLIND.c.id.in_([row["id"] for row in rows])))
        connection.execute(insert(BLIND), rows)
        kept = select(BLIND.c.since).where(mine, BLIND.c.until != "").order_by(BLIND.c.since.desc())
        oldest = connection.execute(kept.offset(BLIND_SPANS_KEPT).limit(1)).scalar()
        if oldest is not None:
            connection.execute(delete(BLIND).where(mine, BLIND.c.until != "", BLIND.c.since <= oldest))


def _row(cluster: str, body: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: body[name] for name in ("id", "cause", "since", "until")}
    return {"cluster": cluster, **columns, "body": json.dumps(body)}


def _dump(one: Slipped) -> str:
    return json.dumps(asdict(one))
