"""Owns the deletes of GitOps writers that are not settled: the object comes back, Git drops it, or it is a finding.

Must not decide on deletes: the record of the decision says that one was admitted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from reconciler.cluster.api import ApiClient
from reconciler.gpu.users.model import Census
from reconciler.limits import DELETE_SETTLE_SECONDS, DELETES_PENDING
from reconciler.loop.ledger import Ledger
from reconciler.loop.scan import Scope, scan_entries
from reconciler.snapshot.model import Entry, MemorySnapshot

# Stable: the code of the decision that lets a writer delete (docs/reference/decision-codes.md).
WRITER_DELETE: Final = "writer-delete"


class _Deleted(NamedTuple):
    group: str
    resource: str
    namespace: str
    name: str


@dataclass(slots=True)
class Deletes:
    """What was deleted, and when to look whether it is settled, in seconds of the caller's clock."""

    _due: dict[_Deleted, float] = field(default_factory=dict)

    def note(self, lines: Iterable[bytes], clock: float) -> None:
        """Take up the deletes among these records of decisions. What is beyond the limit is left to the next scan."""
        for line in lines:
            if WRITER_DELETE.encode() not in line or len(self._due) >= DELETES_PENDING:
                continue
            record = json.loads(line)
            if record["code"] == WRITER_DELETE:
                # A namespace is in itself, to the API server.
                place = "" if record["resource"] == "namespaces" else record["namespace"]
                deleted = _Deleted(record["group"], record["resource"], place, record["name"])
                self._due[deleted] = clock + DELETE_SETTLE_SECONDS

    def waits(self, entry: Entry) -> bool:
        """Whether its writer has deleted it, or what takes it along, and may still put it back."""
        return bool(self._due) and any(taker in self._due for taker in _takers(entry))

    def settle(
        self,
        client: ApiClient | None,
        snapshot: MemorySnapshot | None,
        ledger: Ledger,
        now: datetime,
        clock: float,
        census: Callable[[], Census | None] = lambda: None,
    ) -> None:
        """Make findings of what Git still declares and what is not back in time. Raises ClusterError, StoreError."""
        due = {deleted: until for deleted, until in list(self._due.items()) if until <= clock}
        if not due or client is None or snapshot is None:
            return
        for deleted in due:  # from here on nobody puts it back: who sees it go while it is read here is to tell so
            self._due.pop(deleted, None)
        taken = tuple(entry for entry in snapshot.entries if not due.keys().isdisjoint(_takers(entry)))
        if not taken:
            return
        try:
            with ledger.look() as look:
                scope = Scope.of(replace(snapshot, entries=taken), ledger.state.cluster)
                found = scan_entries(client, scope, now, census())
                ledger.put(look, {one.id: one for one in found}, snapshot, now)
        except BaseException:
            for deleted, until in due.items():
                self._due.setdefault(deleted, until)
            raise


def _takers(entry: Entry) -> Iterator[_Deleted]:
    """The object itself, and what takes it along: its namespace, its definition."""
    ref, kind = entry.object.ref, entry.object.kind
    yield _Deleted(ref.group, kind.resource, ref.namespace, ref.name)
    yield _Deleted("", "namespaces", "", ref.namespace)
    yield _Deleted("apiextensions.k8s.io", "customresourcedefinitions", "", f"{kind.resource}.{ref.group}")
