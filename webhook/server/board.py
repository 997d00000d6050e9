"""Owns the memory that a master and its workers share: a row of numbers for each process. Must not know HTTP.

Made before the fork. A row has one writer, so nothing is locked, and whoever adds up the rows sees all workers. It
outlives its worker: the next one counts on from there, so no sum ever falls.
"""

from __future__ import annotations

import mmap
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias, get_args

from webhook.decision.types import Code

# Upper bounds of the histogram of answers, in seconds.
BOUNDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STATUSES: Final = (400, 403, 404, 405, 413, 415, 503)
OTHER_STATUS: Final = 0

_DECISIONS: Final = tuple((code, allowed) for code in get_args(Code) for allowed in (False, True))
_COUNTERS: Final = ("seconds", "lost", "refused", "restarts")
# What a worker says of itself; nothing of it is true any more once it has ended.
_GAUGES: Final = (
    "beat",
    "blocked",
    "draining",
    "reviews",
    "connections",
    "queued",
    "published",
    "snapshot_problem",
    "grants",
    "grants_problem",
    "certificate_end",
)
DECISION: Final = {key: column for column, key in enumerate(_DECISIONS)}
BUCKET: Final = len(DECISION)
_STATUS: Final = BUCKET + len(BOUNDS) + 1
STATUS: Final = {status: _STATUS + number for number, status in enumerate((*STATUSES, OTHER_STATUS))}
_NAMED: Final = _STATUS + len(STATUS)
COLUMN: Final = {name: _NAMED + number for number, name in enumerate((*_COUNTERS, *_GAUGES))}
_FIRST_GAUGE: Final = COLUMN[_GAUGES[0]]
_WIDTH: Final = _NAMED + len(COLUMN)
_BYTES: Final = 8

# Doubles, indexed by DECISION, BUCKET + number, STATUS and COLUMN.
Row: TypeAlias = "memoryview[float]"


class Board:
    """Row 0 is the master's, the others are given to workers. Make it before the fork."""

    def __init__(self, workers: int = 1) -> None:
        # While workers are replaced, the old ones still answer beside the new ones.
        self._count = 1 + 2 * workers
        self._numbers = memoryview(mmap.mmap(-1, self._count * _WIDTH * _BYTES)).cast("d")

    def row(self, number: int) -> Row:
        """The row of one process."""
        return self._numbers[number * _WIDTH : (number + 1) * _WIDTH]

    def free(self, taken: set[int]) -> int:
        """A row for a new worker, its gauges empty; the last one where all are taken."""
        number = next((one for one in range(1, self._count) if one not in taken), self._count - 1)
        self.clear(number)
        return number

    def clear(self, number: int) -> None:
        """The worker of this row has ended: what it counted stays."""
        row = self.row(number)
        for column in range(_FIRST_GAUGE, _WIDTH):
            row[column] = 0.0

    def living(self) -> list[Row]:
        """Rows of workers that have begun to serve and have not ended."""
        return [row for row in self._workers() if row[COLUMN["beat"]]]

    def total(self, column: int) -> float:
        """Of all processes that were and are."""
        return float(sum(self.row(number)[column] for number in range(self._count)))

    def gauges(self, name: str) -> list[float]:
        """What the living workers say."""
        return [row[COLUMN[name]] for row in self.living()]

    def blocked(self, now: float, seconds: float) -> bool:
        """True if a worker cannot judge: its loop has not turned for `seconds`, or its threads do not end."""
        beat, blocked = COLUMN["beat"], COLUMN["blocked"]
        return any(row[blocked] or now - row[beat] > seconds for row in self.living())

    def _workers(self) -> Iterator[Row]:
        return (self.row(number) for number in range(1, self._count))


@dataclass(slots=True)
class Seat:
    """Where one worker works: the board, the row that it writes, and the listening socket of the metrics, if any."""

    board: Board = field(default_factory=Board)
    number: int = 1
    metrics: socket.socket | None = None

    @property
    def row(self) -> Row:
        """The worker's own row."""
        return self.board.row(self.number)
