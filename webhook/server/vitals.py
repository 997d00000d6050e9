"""Owns what a worker says of itself: its row's gauges, written four times a second. Must not count decisions.

It runs on the loop that judges, so its beat is the proof that the loop turns. It also lets memory go.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from reconciler.limits import BEAT_SECONDS, TIDY_SECONDS
from webhook.server.board import COLUMN, Row
from webhook.server.grants import GrantFeed
from webhook.server.judge import Judge
from webhook.server.memory import give_back
from webhook.server.ports import FollowedFeed
from webhook.server.recorder import DatagramRecorder


class App(Protocol):
    """What of the application is shown."""

    draining: bool

    @property
    def reviews(self) -> int:
        """How many are in hand."""


@dataclass(slots=True)
class Vitals:
    """The parts of one worker, and the row that shows them."""

    row: Row
    feed: FollowedFeed
    grants: GrantFeed
    recorder: DatagramRecorder
    judge: Judge
    lost: int = 0

    async def beat(self, app: App) -> None:
        """Until cancelled; the row says nothing of this worker then."""
        tidied = time.monotonic()
        try:
            while True:
                self.show(app)
                if self.judge.threads.rested() or time.monotonic() - tidied > TIDY_SECONDS:
                    give_back()
                    tidied = time.monotonic()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            self.row[COLUMN["beat"]] = 0.0

    def show(self, app: App) -> None:
        """Write all gauges; the beat last, so that a row with a beat is whole."""
        now = self.judge.clock()
        told = {
            "blocked": self.judge.threads.blocked(),
            "draining": app.draining,
            "reviews": app.reviews,
            "queued": self.recorder.queued,
            "published": self.feed.published if self.feed.current() is not None else 0.0,
            "snapshot_problem": bool(self.feed.problem),
            "grants": sum(grant.holds(now) for grant in self.grants.current()),
            "grants_problem": bool(self.grants.problem),
            "beat": time.monotonic(),
        }
        for name, value in told.items():
            self.row[COLUMN[name]] = float(value)
        self.row[COLUMN["lost"]] += self.recorder.lost - self.lost
        self.lost = self.recorder.lost
