"""Owns the check of the record of decisions: is the chain whole, and where is something missing. Must not write.

A break is something that was done to the records. A gap is records that never arrived, which the trail itself says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.store.chain import HEAD_FILE, Head, beginning, noted_head
from reconciler.store.decisions import CUT, GAP, columns
from reconciler.store.schema import DECISIONS
from reconciler.store.state import State

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Break:
    """Where the records are not as they were written. `seq` is the record at which it shows, `time` that record's."""

    seq: int
    time: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """`lost` records that should stand before record `seq`."""

    seq: int
    time: str
    lost: int


@dataclass(slots=True)
class Verification:
    """What was found. `breaks` and `gaps` are the first REPORT_PAGE_MAX of each; `lost` counts over all gaps."""

    head: Head
    records: int = 0
    first: str = ""
    last: str = ""
    breaks: list[Break] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    lost: int = 0

    @property
    def whole(self) -> bool:
        """True if nothing was changed, added or taken away, as far as the chain can tell."""
        return not self.breaks


def verify(state: State, known: Head | None = None) -> Verification:
    """Walk over all records, oldest first. `known` is a head from elsewhere that must be in the chain too.

    Raises StoreError if the store cannot be read.
    """
    # Before the records: a writer may go on meanwhile, and then the chain is longer than its noted head, never shorter.
    noted = noted_head(state)
    pins = [pin for pin in (noted, known) if pin is not None]
    found = Verification(beginning(state.cluster))
    query = select(DECISIONS).where(DECISIONS.c.cluster == state.cluster).order_by(DECISIONS.c.seq)
    with state.read() as connection:
        for row in connection.execute(query).yield_per(_ROWS_AT_ONCE).mappings():
            _take(found, dict(row), pins)
    for pin in pins:
        if pin.seq > found.head.seq:
            _broken(found, pin.seq, "", f"the records end at {found.head.seq}: those after it are gone")
    # Asked again: the head is noted before the first record, which may have been written since.
    if noted is None and found.records and noted_head(state) is None:
        _broken(found, found.head.seq, found.last, f"{HEAD_FILE} is gone or damaged: nothing says where the end is")
    return found


def _take(found: Verification, row: dict[str, Any], pins: list[Head]) -> None:
    seq, time = row["seq"], str(row["time"])
    if not isinstance(seq, int):  # SQLite keeps whatever it is given
        _broken(found, found.head.seq, time, "a record after it has no number")
        return
    for reason in _wrong(found.head, row, pins):
        _broken(found, seq, time, reason)
    found.head = Head(seq, row["hash"])
    found.records += 1
    found.first = found.first or time
    found.last = time
    if row["code"] in (GAP, CUT):
        lost = _body(row).get("lost")
        found.lost += lost if isinstance(lost, int) else 0
        if row["code"] == GAP and len(found.gaps) < REPORT_PAGE_MAX:
            found.gaps.append(Gap(seq, time, lost if isinstance(lost, int) else 0))


def _wrong(before: Head, row: dict[str, Any], pins: list[Head]) -> Iterator[str]:
    """What does not hold of one row."""
    seq = row["seq"]
    if seq != before.seq + 1:
        gone = seq - before.seq - 1
        yield f"{gone} records before it are gone" if gone > 0 else "its number is none"
    elif before.then(str(row["body"])).hash != row["hash"]:
        yield "it is not what was written here, or not where it was written"
    body = _body(row)
    if columns(body) != {name: row[name] for name in columns({})}:
        yield "what it is found by is not what it says"
    if body.get("code") == CUT:
        yield f"written after a break: {body.get('reason')}"
    for pin in pins:
        if pin.seq == seq and pin.hash != row["hash"]:
            yield "it is another one than was noted"


def _body(row: dict[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(row["body"])
    except (TypeError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _broken(found: Verification, seq: int, time: str, reason: str) -> None:
    if len(found.breaks) < REPORT_PAGE_MAX:
        found.breaks.append(Break(seq, time, reason))
