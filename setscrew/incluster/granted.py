"""Owns the grants of a cluster: DriftGrant objects followed by every replica, and put in force in its state directory.

The objects alone say what is granted, so that all replicas agree; the status of one is written by the leader
(`setscrew.incluster.configured`). Must not judge a write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path
from reconciler.cluster.watch import beats
from reconciler.errors import SetscrewError, place
from reconciler.policy import grant_file
from reconciler.policy.model import GrantRules
from reconciler.store.grants import mirror_grants
from reconciler.store.state import State
from setscrew.grants import CLUSTER, publish
from setscrew.incluster.configured import read_objects
from setscrew.incluster.grant_objects import grants_of
from setscrew.incluster.objects import GRANT
from setscrew.incluster.writing import KINDS


@dataclass(slots=True)
class Granted:
    """`rules` gives what a grant may be, by the snapshot in force; `state` is the store of this replica."""

    client: ApiClient
    state: State
    state_dir: Path
    rules: Callable[[], GrantRules]
    say: Callable[[str], None]
    now: Callable[[], float] = time.time
    _told: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Read all once and put in force what holds. Raises ClusterError, StoreError."""
        now = self.now()
        found = grants_of(read_objects(self.client, GRANT), self.rules(), now)
        new = mirror_grants(self.state, found.grants, CLUSTER, now)
        if new or not (self.state_dir / grant_file.NAME).exists():
            publish(self.state, self.state_dir, now)
        self._told = {what: why for what, why in self._told.items() if what.partition(" ")[2] in found.faults}
        for name, fault in found.faults.items():
            self._tell(f"{GRANT} {name}", fault.message)

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set: a grant is in force, or revoked, within a second or so."""
        for _ in beats(self.client, collection_path(KINDS[GRANT]), "", self._unwatched, stop.wait):
            if stop.is_set():
                return
            self._step()

    def _unwatched(self, why: str) -> None:
        self.say(f"{GRANT} objects {why}")

    def _step(self) -> None:
        """What cannot be read holds as it was read before, until it ends."""
        try:
            self.begin()
        except SetscrewError as error:
            self._tell(f"{GRANT} objects cannot be read", str(error))
        except Exception as error:  # noqa: BLE001 - one object that nobody foresaw must not end the following
            self._tell(f"{GRANT} objects cannot be read", place(error))

    def _tell(self, what: str, why: str) -> None:
        if self._told.get(what) != why:
            self.say(f"{what}: {why}")
        self._told[what] = why
