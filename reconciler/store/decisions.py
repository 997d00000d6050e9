"""Owns the record of admission decisions: one JSON line in, one row, never altered. Must not read a socket.

The admission server sends lines; a line that is no decision is refused, and the others are kept. Where lines were lost
on their way a record of code `gap` says how many; where records that stood here once are gone, one of code `cut` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select

from reconciler.errors import StoreError
from reconciler.limits import DECISION_LINE_BYTES, REPORT_PAGE
from reconciler.report.printable import printable
from reconciler.store.chain import Head, beginning, note_head, noted_head
from reconciler.store.days import count_days
from reconciler.store.schema import DECISIONS
from reconciler.store.state import State

GAP: Final = "gap"
CUT: Final = "cut"
FILTERS: Final = {
    "namespace": DECISIONS.c.namespace,
    "kind": DECISIONS.c.kind,
    "name": DECISIONS.c.name,
    "code": DECISIONS.c.code,
    "user": DECISIONS.c.user,
    "source": DECISIONS.c.source,
    "policy": DECISIONS.c.policy,
    "allowed": DECISIONS.c.allowed,
}
_ROWS_AT_ONCE: Final = 1_000
_TEXTS: Final = ("time", "code", "would", "user", "kind", "namespace", "name", "source", "policy", "worker")


def record(state: State, line: bytes) -> None:
    """Append one decision: a JSON object with `allowed` (bool), `code` and `time`. Raises StoreError."""
    record_all(state, [line])


def record_all(state: State, lines: Iterable[bytes]) -> None:
    """Append several in one transaction: a burst of decisions costs one write to the disk.

    Raises StoreError for lines that are no decisions, once the others are kept; or if the store fails.
    """
    decisions, refused = [], []
    for line in lines:
        try:
            decisions.append(_parse(line))
        except StoreError as error:
            refused.append(error.message)
    if decisions:
        _append(state, decisions)
    if refused:
        raise StoreError(f"{len(refused)} lines are not kept: {refused[0]}")


def read_decisions(
    state: State,
    filters: Mapping[str, str] | None = None,
    limit: int = REPORT_PAGE,
    since: str = "",
    *,
    offset: int = 0,
) -> tuple[list[dict[str, Any]], int]:
    """Decisions as JSON objects, newest first, and how many match. `filters` has keys of FILTERS.

    `since` is RFC 3339 in UTC; "" is the beginning. Gaps are among them. `offset` is how many are passed over.
    """
    terms = matching(state, filters or {}, since)
    page = select(DECISIONS.c.seq, DECISIONS.c.hash, DECISIONS.c.body).where(terms)
    with state.read() as connection:
        total = connection.execute(select(func.count()).select_from(DECISIONS).where(terms)).scalar() or 0
        rows = connection.execute(page.order_by(DECISIONS.c.seq.desc()).limit(limit).offset(offset))
        return [
            {"seq": seq, "cluster": state.cluster, "hash": link} | json.loads(body) for seq, link, body in rows
        ], total


def matching(state: State, filters: Mapping[str, str], since: str = "") -> ColumnElement[bool]:
    """The rows of this cluster that the filters choose; `allowed` is "true" or "false"."""
    terms = [DECISIONS.c.cluster == state.cluster]
    for key, value in filters.items():
        column = FILTERS[key]
        if key == "allowed":
            terms.append(column == int(value == "true"))
        else:
            terms.append(func.lower(column) == value.lower() if key == "kind" else column == value)
    return and_(*terms, DECISIONS.c.time >= since) if since else and_(*terms)


@dataclass(frozen=True, slots=True)
class Span:
    """How many decisions there are, from when to when (RFC 3339), and how many records were lost meanwhile."""

    decisions: int
    first: str
    last: str
    lost: int


def span(state: State, filters: Mapping[str, str], since: str) -> Span:
    """What a walk with these filters looks at. Losses have neither object nor source: they count with any filter."""
    missing = DECISIONS.c.code.in_((GAP, CUT))
    counts = select(func.count(), func.min(DECISIONS.c.time), func.max(DECISIONS.c.time))
    gaps = select(DECISIONS.c.body).where(matching(state, {}, since), missing)
    with state.read() as connection:
        count, first, last = connection.execute(counts.where(matching(state, filters, since), ~missing)).one()
        lost = sum(json.loads(body)["lost"] for (body,) in connection.execute(gaps))
    return Span(count, first or "", last or "", lost)


def walk_decisions(state: State, filters: Mapping[str, str], since: str, *, refused: bool) -> Iterator[dict[str, Any]]:
    """All that were refused, or all that were admitted though they would have been under action Deny; oldest first."""
    which = DECISIONS.c.allowed == 0 if refused else (DECISIONS.c.allowed == 1) & (DECISIONS.c.would != "")
    query = select(DECISIONS.c.body).where(matching(state, filters, since), which).order_by(DECISIONS.c.seq)
    with state.read() as connection:
        for (body,) in connection.execute(query).yield_per(_ROWS_AT_ONCE):
            yield json.loads(body)


def columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns of a row say of its body."""
    texts = {name: text if isinstance(text := body.get(name), str) else "" for name in _TEXTS}
    allowed, number = body.get("allowed"), body.get("number")
    return texts | {
        "allowed": int(allowed) if isinstance(allowed, bool) else None,
        "number": number if isinstance(number, int) else 0,
    }


def _append(state: State, decisions: list[dict[str, Any]]) -> None:
    with state.write() as connection:
        head = _head(connection, state.cluster)
        if not head.seq and noted_head(state) is None:
            note_head(state, head)
        rows = []
        for body in (*_cut(state, connection, head, decisions[0]["time"]), *_with_gaps(state, connection, decisions)):
            text = json.dumps(body, separators=(",", ":"))
            head = head.then(text)
            rows.append(columns(body) | {"cluster": state.cluster, "body": text, "seq": head.seq, "hash": head.hash})
        if not rows:  # all of them had come before
            return
        connection.execute(insert(DECISIONS), rows)
        count_days(
            connection,
            state.cluster,
            (("denials", row["time"], row["namespace"]) for row in rows if row["allowed"] == 0),
        )
    # Only now: a head beside a database that has not got so far would look as if records had been taken away.
    note_head(state, head)


def _head(connection: Connection, cluster: str) -> Head:
    last = select(DECISIONS.c.seq, DECISIONS.c.hash).where(DECISIONS.c.cluster == cluster)
    row = connection.execute(last.order_by(DECISIONS.c.seq.desc()).limit(1)).first()
    return Head(row.seq, row.hash) if row else beginning(cluster)


def _cut(state: State, connection: Connection, head: Head, time: str) -> Iterator[dict[str, Any]]:
    """A record of what is missing at the end: writing on would otherwise heal the chain and hide it."""
    noted = noted_head(state)
    if noted is None:
        yield {"time": time, "code": CUT, "lost": 0, "reason": "the head beside the database is gone"}
    elif noted.seq > head.seq:
        yield {"time": time, "code": CUT, "lost": noted.seq - head.seq, "reason": "records at the end are gone"}
    elif noted.seq:
        where = (DECISIONS.c.cluster == state.cluster) & (DECISIONS.c.seq == noted.seq)
        if connection.execute(select(DECISIONS.c.hash).where(where)).scalar() != noted.hash:
            yield {"time": time, "code": CUT, "lost": 0, "reason": f"record {noted.seq} is another one than was noted"}


def _with_gaps(state: State, connection: Connection, decisions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The decisions, and before each whose number is not its worker's next one a record of what is missing.

    What another replica hands on may come twice, and begins in the midst of it where another one led before.
    """
    numbers: dict[str, int] = {}
    for decision in decisions:
        worker, number = decision.get("worker"), decision.get("number")
        if worker and number:
            handed_on = bool(decision.get("replica"))
            if worker not in numbers:
                known = _last_number(state, connection, worker)
                numbers[worker] = number - 1 if handed_on and not known else known
            if handed_on and number <= numbers[worker]:
                continue
            if number > numbers[worker] + 1:
                yield {"time": decision["time"], "code": GAP, "lost": number - numbers[worker] - 1, "worker": worker}
            numbers[worker] = max(number, numbers[worker])
        yield decision


def _last_number(state: State, connection: Connection, worker: str) -> int:
    where = (DECISIONS.c.cluster == state.cluster) & (DECISIONS.c.worker == worker)
    return connection.execute(select(func.max(DECISIONS.c.number)).where(where)).scalar() or 0


def _parse(line: bytes) -> dict[str, Any]:
    """The decision as it is kept: printable, and of the right types where the code looks at it."""
    if len(line) > DECISION_LINE_BYTES:
        raise StoreError(f"a decision of {len(line)} bytes: at most {DECISION_LINE_BYTES}")
    try:
        decision = json.loads(line)
    except (ValueError, RecursionError):
        raise StoreError("a decision that is not JSON") from None
    if not isinstance(decision, dict) or not isinstance(decision.get("allowed"), bool):
        raise StoreError("a decision without `allowed`")
    if not all(isinstance(decision.get(name), str) and decision[name] for name in ("code", "time")):
        raise StoreError("a decision without `code` or `time`")
    if decision["code"] in (GAP, CUT):
        raise StoreError("a decision that says it is none")
    worker, number = decision.get("worker", ""), decision.get("number", 0)
    if not isinstance(worker, str) or type(number) is not int or not 0 <= number < 2**53:
        raise StoreError("a decision whose `worker` or `number` is none")
    shown: dict[str, Any] = printable(decision)
    return shown
