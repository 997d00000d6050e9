"""Owns what one admission worker counts: decisions, their time, replies that are none. Must not wait nor raise."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from webhook.decision.types import Decision
from webhook.server.board import BOUNDS, BUCKET, COLUMN, DECISION, OTHER_STATUS, STATUS, Row

_SECONDS: Final = COLUMN["seconds"]


class NoMeter:
    """Counts nothing."""

    def decided(self, decision: Decision, seconds: float) -> None:
        """See `webhook.server.ports.Meter`."""

    def replied(self, status: int) -> None:
        """See `webhook.server.ports.Meter`."""


class RowMeter:
    """Counts in a row of the board. Called on the loop alone: a row has one writer."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def decided(self, decision: Decision, seconds: float) -> None:
        """See `webhook.server.ports.Meter`."""
        row = self._row
        row[DECISION[decision.code, decision.allowed]] += 1
        row[BUCKET + bisect_left(BOUNDS, seconds)] += 1
        row[_SECONDS] += seconds

    def replied(self, status: int) -> None:
        """See `webhook.server.ports.Meter`."""
        self._row[STATUS.get(status, STATUS[OTHER_STATUS])] += 1
