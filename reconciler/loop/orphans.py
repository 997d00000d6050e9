"""Owns the look for what Git has dropped: is it still in the cluster? Must not remove anything.

It is remembered when a revision drops it, and forgotten when it is gone, is another object by now, or is declared
again. Of an exclusive kind it is a stray, which others look for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import read_live
from reconciler.limits import ORPHANS_SECONDS
from reconciler.loop.scan import Some
from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.report.drift import DriftItem, finding_id
from reconciler.report.orphan import dropped, orphan_item
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.dropped import keep_dropped, read_dropped, settle_dropped
from reconciler.store.state import State


@dataclass(slots=True)
class Orphans:
    """What was dropped, and when to look again, in seconds of the caller's clock."""

    state: State
    _due: float = 0.0
    _any: bool = field(default=True)

    def note(self, before: MemorySnapshot, after: MemorySnapshot, now: datetime) -> None:
        """Remember what `after` declares no longer, before it counts. Raises StoreError."""
        if found := list(dropped(before, after)):
            keep_dropped(self.state, found, stamp(now))
            self._any, self._due = True, 0.0

    def soon(self) -> None:
        """Look at the next turn: something has become of one of them."""
        self._due = 0.0

    def is_due(self, clock: float) -> bool:
        """Whether to look: at once after something was dropped, and now and then while anything is remembered."""
        if not self._any or clock < self._due:
            return False
        self._due = clock + ORPHANS_SECONDS
        return True

    def look(self, client: ApiClient, snapshot: MemorySnapshot, now: datetime) -> Some:
        """None is found: it is none any more, and nobody declares it. Raises ClusterError, StoreError."""
        known = read_dropped(self.state)
        self._any = bool(known)
        declared = {entry.ref for entry in snapshot.entries} & known.keys() if known else set[ObjectRef]()
        strays = {ref for ref in known if snapshot.exclusive_policies(ref.group, ref.kind)}
        wanted = {ref: one for ref, one in known.items() if ref not in declared | strays}
        live = read_live(client, [(ref, one.kind) for ref, (one, _) in wanted.items()])
        items: dict[str, DriftItem | None] = {}
        gone, uids = set(declared), dict[ObjectRef, str]()
        for ref, (one, uid) in wanted.items():
            tree = live.objects.get(ref)
            if ref in live.unseen:
                continue  # nobody knows: what was found stays
            if tree is None or (uid and uid != _uid(tree)):
                gone.add(ref)
                items[finding_id(ref, self.state.cluster)] = None
                continue
            uids |= {} if uid else {ref: _uid(tree)}
            found = orphan_item(one, tree, now=now, cluster=self.state.cluster)
            items[found.id] = found
        settle_dropped(self.state, gone, uids)
        return Some(items, frozenset(live.unseen))


def _uid(tree: Tree) -> str:
    return str(dig(tree, "metadata", "uid"))
