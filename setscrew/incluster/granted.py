"""Owns the grants of a cluster: DriftGrant objects followed by every replica, and put in force in its state directory.

The objects alone say what is granted, so that all replicas agree; the status of one is written by the leader
(`setscrew.incluster.configured`). Must not judge a write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.policy.model import GrantRules
from reconciler.store.state import State


@dataclass(slots=True)
class Granted:
    """`rules` gives what a grant may be, by the snapshot in force; `state` is the store of this replica."""

    client: ApiClient
    state: State
    state_dir: Path
    rules: Callable[[], GrantRules]
    say: Callable[[str], None]

    def begin(self) -> None:
        """Read all once and put in force what holds. Raises ClusterError."""
        raise NotImplementedError

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set: a grant is in force, or revoked, within a second or so."""
        raise NotImplementedError
