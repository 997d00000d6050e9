"""Owns counting, now and then, the objects of guarded kinds that no source declares. Must not judge them.

Only metadata is asked for, page by page, and nothing but numbers is kept.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path
from reconciler.errors import ApiError, ClusterError, SetscrewError, UnreachableError, place
from reconciler.limits import LIST_PAGE_OBJECTS, UNMANAGED_AGAIN_SECONDS, UNMANAGED_SECONDS
from reconciler.model.instant import stamp
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.report.unmanaged import Place, Unmanaged, is_nobodys
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.state import State
from reconciler.store.unmanaged import save_unmanaged

# Of an API server that cannot cut objects down, they are taken whole.
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_LOOK_SECONDS: Final = 2.0


@dataclass(slots=True)
class Counting:
    """`snapshot` is what is enforced, None as long as nothing is; `say` takes one line. `run` is for a thread."""

    client: ApiClient
    snapshot: Callable[[], MemorySnapshot | None]
    state: State
    say: Callable[[str], None]
    now: Callable[[], datetime]
    _seen: MemorySnapshot | None = None
    _declared: frozenset[ObjectRef] = frozenset()
    _counted: float | None = None
    _failed: str = ""
    _news: bool = False

    def run(self, stop: threading.Event) -> None:
        """Count until `stop` is set: soon after Git declares other objects, else at long intervals."""
        while not stop.wait(_LOOK_SECONDS):
            try:
                self.step(time.monotonic())
                self._failed = ""
            except UnreachableError:
                continue  # others say so
            except Exception as error:  # noqa: BLE001 - a count that failed must not end the counting
                why = str(error) if isinstance(error, SetscrewError) else place(error)
                if why != self._failed:
                    self.say(f"unmanaged objects were not counted: {why}")
                self._failed = why

    def step(self, at: float) -> bool:
        """Count if it is due at `at` (monotonic seconds); whether it was. Raises ClusterError and StoreError."""
        snapshot = self.snapshot()
        if snapshot is None:
            return False
        if snapshot is not self._seen:
            self._seen, declared = snapshot, frozenset(entry.ref for entry in snapshot.entries)
            self._news, self._declared = self._news or declared != self._declared, declared
        wait = UNMANAGED_AGAIN_SECONDS if self._news else UNMANAGED_SECONDS
        if self._counted is not None and at < self._counted + wait:
            return False
        self._counted, self._news = at, True
        save_unmanaged(self.state, count(self.client, snapshot, self.now()))
        self._news = False
        return True


def count(client: ApiClient, snapshot: MemorySnapshot, now: datetime) -> Unmanaged:
    """The count of all guarded kinds. Raises UnreachableError."""
    declared = {entry.ref for entry in snapshot.entries}
    kinds = {(entry.ref.group, entry.ref.kind): entry.object.kind for entry in snapshot.entries}
    managed = Counter(ref.namespace for ref in declared)
    others, unread = defaultdict[str, Counter[str]](Counter), dict[str, str]()
    for (group, name), kind in sorted(kinds.items()):
        title = f"{group}/{name}" if group else name
        try:
            found = _others(client, kind, declared)
        except UnreachableError:
            raise
        except ClusterError as error:
            unread[title] = error.message
            continue
        for namespace, number in found.items():
            others[namespace][title] += number
    places = {one: Place(managed[one], dict(others[one])) for one in sorted({*managed, *others})}
    return Unmanaged(stamp(now), places, unread)


def _others(client: ApiClient, kind: KindInfo, declared: set[ObjectRef]) -> Mapping[str, int]:
    """How many objects of a kind are unmanaged, by namespace."""
    found = Counter[str]()
    for metadata in _metadata(client, kind):
        named = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        ref = ObjectRef(kind.group, kind.kind, *named)
        if ref not in declared and not is_nobodys(ref, metadata):
            found[ref.namespace] += 1
    return found


def _metadata(client: ApiClient, kind: KindInfo) -> Iterator[dict[str, Any]]:
    """Of all objects of a kind; of one that is not served none."""
    token = ""
    while True:
        query: dict[str, str | int | bool] = {"limit": LIST_PAGE_OBJECTS} | ({"continue": token} if token else {})
        try:
            page: Any = client.send("GET", collection_path(kind), query=query, accept=_METADATA).body
        except ApiError as error:
            if error.status == 404 and not token:
                return
            raise
        yield from (item.get("metadata") or {} for item in page.get("items") or ())
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return
