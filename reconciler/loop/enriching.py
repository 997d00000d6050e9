"""Owns what a finding says beyond the difference: who made it, under which grant, whose it is, how bad.

Must not compare, nor find anything. Labels of namespaces and files of code owners are read in `look`, before
anybody waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import list_live
from reconciler.errors import ClusterError, SourceError
from reconciler.limits import CODEOWNERS_BYTES, NAMESPACES_SECONDS
from reconciler.loop.reading import Good
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.report.attributed import attributed
from reconciler.report.codeowners import PLACES, CodeOwners, chosen, parse_code_owners
from reconciler.report.drift import DriftItem, Owner, finding_id
from reconciler.report.granted import DEPARTURES, grant_of, newer
from reconciler.report.owner import owner_of
from reconciler.report.severity import severity_of
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.source.backend import Objects, Revision
from reconciler.store.departures import Unjudged, Writes, read_unjudged, read_writes
from reconciler.store.history import read_in_sync
from reconciler.store.namespaces import keep_namespaces, read_namespaces
from reconciler.store.renaming import read_items, rename_findings
from reconciler.store.state import State

_NAMESPACE: Final = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
_NOBODY: Final = CodeOwners()


def _none() -> Mapping[str, Good]:
    return {}


@dataclass(slots=True)
class Enricher:
    """`goods` are the sources as they were read, `objects` reads their repositories. Safe to share between threads."""

    state: State
    goods: Callable[[], Mapping[str, Good]] = _none
    objects: Objects | None = None
    _labels: Mapping[str, Mapping[str, str]] | None = None
    _due: float = 0.0
    _files: dict[str, tuple[str, CodeOwners]] = field(default_factory=dict)
    _entries: tuple[MemorySnapshot | None, Mapping[str, Entry]] = (None, {})
    _unjudged: Unjudged | None = None
    # By finding, while all that names owners is the same.
    _owners: dict[str, Owner] = field(default_factory=dict)

    def look(self, client: ApiClient | None, clock: float) -> bool:
        """Read what names owners, where it may be another one by now; whether it is. Raises StoreError."""
        before = self._labels, {name: file for name, (_, file) in self._files.items()}
        if client is not None and clock >= self._due:
            self._due = clock + NAMESPACES_SECONDS
            with suppress(ClusterError):  # what was known is still the best guess
                found = list_live(client, [_NAMESPACE])
                if not found.unread:
                    self._labels = {ref.name: _labels(tree) for ref, tree in found.objects.items()}
                    self._owners = {}  # not before: while they are read, others still ask
                    keep_namespaces(self.state, self._labels)
        for name, good in self.goods().items():
            if self._files.get(name, ("",))[0] != good.revision.commit:
                with suppress(SourceError):  # read again at the next look: who owns what is not forgotten for a failure
                    self._files[name] = good.revision.commit, self._read(good)
                    self._owners = {}
        return before != (self._labels, {name: file for name, (_, file) in self._files.items()})

    def enriched(self, items: Iterable[DriftItem], snapshot: MemorySnapshot) -> list[DriftItem]:
        """`items`, those that are not in sync with all that is known. Raises StoreError."""
        found = list(items)
        there = [one.ref for one in found if one.state in ("drifted", "extra")]
        gone = [one.ref for one in found if one.state == "missing"]
        writes = read_writes(self.state, there, gone) if there or gone else Writes({}, {})
        if there or gone:
            self._unjudged = read_unjudged(self.state, self._unjudged)
        since = read_in_sync(self.state, [one.id for one in found if one.state in ("drifted", "missing")])
        return [
            one if one.state == "in-sync" else self._one(one, writes, snapshot, since.get(one.id, "")) for one in found
        ]

    def recorded(self, lines: Iterable[bytes], snapshot: MemorySnapshot) -> None:
        """Name for findings that are stored already whom these records of decisions tell of. Raises StoreError."""
        ids = [finding_id(ref, self.state.cluster) for ref in dict.fromkeys(filter(None, map(_departed, lines)))]
        before = list(read_items(self.state, ids))
        news = zip(before, self.enriched(before, snapshot), strict=True)
        rename_findings(self.state, [now for then, now in news if now != then])

    def _one(self, item: DriftItem, writes: Writes, snapshot: MemorySnapshot, since: str) -> DriftItem:
        ref, entry = item.ref, self._by_id(snapshot).get(item.id)
        records = writes.of(ref)
        slipped = self._unjudged.of(ref, entry.object.kind.resource) if self._unjudged and entry else ()
        item = attributed(item, records, slipped, writes.around(ref), since)
        item = replace(item, grant=grant_of(item, newer(records, since)), owner=self._owner(item, entry))
        severity, reason = severity_of(item, snapshot.rules)
        return replace(item, severity=severity, severity_reason=reason)

    def _owner(self, item: DriftItem, entry: Entry | None) -> Owner:
        known = self._owners  # another one as soon as it is of the past
        if item.id not in known:
            known[item.id] = self._found(item, entry)
        return known[item.id]

    def _found(self, item: DriftItem, entry: Entry | None) -> Owner:
        if self._labels is None:
            self._labels = read_namespaces(self.state)
        place = item.name if (item.group, item.kind) == ("", "Namespace") else item.namespace
        declared = entry.metadata if entry is not None else _declared(item)
        files = self._files.get(item.source.name, ("", _NOBODY))[1]
        return owner_of(self._labels.get(place, {}), declared, files.of(item.source.file))

    def _by_id(self, snapshot: MemorySnapshot) -> Mapping[str, Entry]:
        known, entries = self._entries
        if known is not snapshot:
            entries = {finding_id(one.ref, self.state.cluster): one for one in snapshot.entries}
            self._entries, self._owners = (snapshot, entries), {}
        return entries

    def _read(self, good: Good) -> CodeOwners:
        """The file of code owners at the source's revision; without one, and for one that is too large, nobody."""
        revision, host = good.revision, urlsplit(good.source.url).netloc.rpartition("@")[2]
        if self.objects is None or not revision.mirror:
            return _NOBODY
        return _code_owners(self.objects, revision, host)


def _code_owners(objects: Objects, revision: Revision, host: str) -> CodeOwners:
    found = {one.path: one for one in objects.list(revision) if one.path in PLACES and one.mode.startswith("100")}
    path = chosen(list(found), host)
    if not path or found[path].size > CODEOWNERS_BYTES:
        return _NOBODY
    (_, content), *_ = objects.read(revision, [found[path]])
    return parse_code_owners(content.decode("utf-8", "replace"), path, host)


def _labels(tree: Tree) -> dict[str, str]:
    labels = dig(tree, "metadata", "labels")
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}


def _declared(item: DriftItem) -> Tree:
    """What Git last said of the owner of what it has dropped."""
    owner = item.owner
    return {"annotations": {"team": owner.team, "costcenter": owner.cost_center, "contact": owner.contact}}


def _departed(line: bytes) -> ObjectRef | None:
    """The object that a record lets away from Git, or lets be deleted; None for any other record."""
    with suppress(ValueError, AttributeError):
        record = json.loads(line)
        if record.get("allowed") and (record.get("code") in DEPARTURES or record.get("operation") == "DELETE"):
            return ObjectRef(*(str(record.get(part, "")) for part in ("group", "kind", "namespace", "name")))
    return None
