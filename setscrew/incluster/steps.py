"""Owns what a replica does again and again until it is told to stop: one step at a time, what fails said once.

Must not know what a step does. None is under way, and none begins, once `quiet` has returned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.cluster.api import ApiClient
from reconciler.cluster.watch import beats
from reconciler.errors import SetscrewError, place
from reconciler.limits import SHARED_RETRY_SECONDS


@dataclass(slots=True)
class Steps:
    """`say` takes one line for the log; `stop` is set by `quiet`, or by whoever ends the replica."""

    client: ApiClient
    say: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    _told: dict[str, str] = field(default_factory=dict)
    _acting: threading.RLock = field(default_factory=threading.RLock)

    def watch(self, collection: str, name: str, what: str, act: Callable[[], object]) -> None:
        """A step at first and at each change of one object ("": of all), again while it fails, until the end."""
        said = f"the published {what} "
        for _ in beats(self.client, collection, name, lambda why: self.say(said + why), self.stop.wait):
            while not self.step(what, act):
                if self.stop.wait(SHARED_RETRY_SECONDS):
                    return
            if self.stop.is_set():
                return

    def step(self, what: str, act: Callable[[], object]) -> bool:
        """Do it now, unless all has ended. False where it failed; says why, once."""
        why = ""
        with self._acting:
            if self.stop.is_set():
                return True
            try:
                act()
            except SetscrewError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001 - one bad look must not end the following
                why = place(error)
            if why and why != self._told.get(what):
                self.say(f"{what}: {why}")
            self._told[what] = why
        return not why

    def quiet(self) -> None:
        """No step any more; waits for the one that is under way."""
        self.stop.set()
        with self._acting:
            return
