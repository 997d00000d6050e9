"""Owns what the leader gives to the other replicas: each snapshot that it enforces. Must not make one.

A thread of its own publishes, so that enforcing on this replica waits for no API server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from reconciler.errors import SetscrewError, place
from reconciler.limits import SHARED_RETRY_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from reconciler.snapshot.model import MemorySnapshot


class Publishes(Protocol):
    """`reconciler.published.publisher.Publisher`, as far as it is needed here."""

    def publish(self, snapshot: MemorySnapshot) -> None:
        """Make it the one that every replica restores. Raises SetscrewError."""


@dataclass(slots=True)
class Publishing:
    """`say` is told once why publishing fails, until it works again."""

    publisher: Publishes
    say: Callable[[str], None]
    _wanted: MemorySnapshot | None = None
    _asked: int = 0
    _done: int = 0
    _told: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def want(self, snapshot: MemorySnapshot) -> None:
        """Publish this one from now on; safe in any thread, and at once."""
        with self._changed:
            self._wanted = snapshot
            self._asked += 1
            self._changed.notify_all()

    def run(self, stop: threading.Event) -> None:
        """Publish what is wanted until `stop`."""
        while not stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._done, SHARED_RETRY_SECONDS)
                snapshot, asked = self._wanted, self._asked
            if snapshot is None or asked == self._done:
                continue
            if self._published(snapshot):
                with self._changed:
                    self._done = asked
                    self._changed.notify_all()
            else:
                stop.wait(SHARED_RETRY_SECONDS)

    def settled(self, seconds: float) -> bool:
        """Wait until all that is wanted by now is published; False where it takes longer."""
        with self._changed:
            asked = self._asked
            return self._changed.wait_for(lambda: self._done >= asked, seconds)

    def refresh(
        self, look: Callable[[Collection[str]], Iterator[dict[str, Any]]], names: Collection[str]
    ) -> Iterator[dict[str, Any]]:
        """A look at Git for another replica: what is enforced is told once that replica can have it, too."""
        for news in look(names):
            if "digest" in news and not self.settled(WEBHOOK_TIMEOUT_SECONDS):
                return
            yield news

    def _published(self, snapshot: MemorySnapshot) -> bool:
        why = ""
        try:
            self.publisher.publish(snapshot)
        except SetscrewError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - one snapshot that cannot be published must not end publishing
            why = place(error)
        if why and why != self._told:
            self.say(f"the snapshot cannot be published, so the other replicas keep the last one: {why}")
        elif not why and self._told:
            self.say("the snapshot is published again")
        self._told = why
        return not why
