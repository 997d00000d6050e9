"""Owns the full pass over the cluster, and when the next one is due. Must not compare by itself, nor watch.

What is watched needs no pass: it is the net below the watch. What cannot be watched is looked at more often.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime

from reconciler.gpu.users.model import Census
from reconciler.limits import PASS_FAILED_SECONDS, PASS_SECONDS, PASS_UNWATCHED_SECONDS
from reconciler.loop.ledger import Turns
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.scan import Scope, scan
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import finding_id
from reconciler.store.findings import Unseen
from reconciler.store.version import save_version


@dataclass(frozen=True, slots=True)
class Passed:
    """What of Git a full pass could not see, and of which exclusive kinds nobody knows what Git does not declare."""

    unseen: frozenset[ObjectRef] = frozenset()
    unread: frozenset[tuple[str, str]] = frozenset()


def full_pass(found: Reconciler, now: datetime, census: Census | None = None) -> Passed:
    """Compare all with the cluster, store findings, with users by `census`.

    Raises ClusterError where nothing answers, StoreError.
    """
    snapshot = found.current
    if found.client is None or snapshot is None:
        return Passed()
    # Before the look begins: whatever counts as later than this pass is to know the owners that this pass knows.
    found.ledger.enricher.look(found.client, time.monotonic())
    with found.ledger.look() as look:
        unasked = found.unasked
        turns = Turns(found.ledger, look)
        scope = Scope.of(snapshot, found.state.cluster)
        scanned = scan(found.client, scope, now, found.forms.accused, census, turns.give_way)
        orphans = found.ledger.orphans.look(found.client, snapshot, now)
        items = [*scanned.items, *(one for one in orphans.found.values() if one is not None)]
        found.decide(snapshot, items, unasked)
        ids = {finding_id(ref, found.state.cluster) for ref in orphans.unseen}
        unseen = Unseen(ids, scanned.unread)
        found.ledger.replace(look, items, snapshot, now, found.about(snapshot), unseen, turns)
    return Passed(scanned.unseen, scanned.unread)


def note(found: Reconciler) -> None:
    """Store what is to be said of the server, and of the desired state, where the report is about the current one."""
    snapshot = found.current
    if found.discovery is not None and found.discovery.version:
        save_version(found.state, found.discovery.version)
    if snapshot is not None and found.ledger.digest == snapshot.digest:
        found.ledger.note(snapshot, found.about(snapshot))


@dataclass(slots=True)
class Passes:
    """When the next pass is due, in monotonic seconds; the first at once. `every`: while all is watched."""

    every: float = PASS_SECONDS
    _next: float = 0.0
    _not_before: float = 0.0

    def is_due(self, now: float) -> bool:
        """Whether a pass is to begin."""
        return now >= max(self._next, self._not_before)

    def soon(self) -> None:
        """One is due at once, or soon after one that failed: something has happened that no watch tells."""
        self._next = 0.0

    def unwatched(self, now: float) -> None:
        """Something cannot be watched."""
        self._next = min(self._next, now + PASS_UNWATCHED_SECONDS)

    def began(self) -> None:
        """What happens from now on is for the next one."""
        self._next = math.inf

    def ended(self, now: float, *, well: bool) -> None:
        """One has ended, and all could be read, or not."""
        wait = self.every if well else min(self.every, PASS_FAILED_SECONDS)
        self._not_before = 0.0 if well else now + wait
        self._next = min(self._next, now + wait)
