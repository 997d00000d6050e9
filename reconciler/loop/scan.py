"""Owns one pass over the cluster: live objects against their canonical forms, to findings. Must not write them down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import Live, list_live, read_live
from reconciler.compare.patch import repair
from reconciler.gpu.users.model import Census
from reconciler.limits import DETECT_ONE_BY_ONE
from reconciler.loop.trust import Accused
from reconciler.loop.users import with_users
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.exclusive import concerns, is_operators_own
from reconciler.policy.model import Policy
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.drift import DriftItem, finding_id, sha256
from reconciler.report.item import drift_item, stray_item
from reconciler.report.printable import printable
from reconciler.report.scope import drift_of
from reconciler.snapshot.model import Entry, MemorySnapshot


@dataclass(frozen=True, slots=True)
class Scan:
    """What a pass has found. `unseen` could not be read, nor who else is of the exclusive kinds `unread`."""

    items: Sequence[DriftItem]
    unseen: frozenset[ObjectRef]
    unread: frozenset[tuple[str, str]]


def scan(
    client: ApiClient,
    snapshot: MemorySnapshot,
    now: datetime,
    suspects: Iterable[Accused] = (),
    census: Census | None = None,
) -> Scan:
    """Findings of all entries, in sync or not, and of `suspects`. Raises ClusterError where nothing answers.

    `census` says who uses which GPU class, None where nobody knows.
    """
    scope, live = Scope.of(snapshot), _read(client, snapshot)
    items, unread = [_item(entry, live, snapshot, now, census) for entry in snapshot.entries], set[tuple[str, str]]()
    # Of exclusive kinds, what Git does not declare, too: one of them changes what the declared ones mean.
    for kind, policy in scope.exclusive.values():
        found = list_live(client, [kind])
        unread |= {(kind.group, kind.kind)} if found.unread else set()
        for ref, tree in found.objects.items():
            if ref not in scope.entries and _is_stray(ref, tree, policy, snapshot):
                items.append(_stray(ref, tree, policy, snapshot, now, census))
    return Scan(_with_suspects(items, suspects, now), frozenset(live.unseen), frozenset(unread))


def scan_entries(
    client: ApiClient, snapshot: MemorySnapshot, now: datetime, census: Census | None = None
) -> list[DriftItem]:
    """Findings of the entries alone. Raises ClusterError where nothing answers."""
    live = _read(client, snapshot)
    return [_item(entry, live, snapshot, now, census) for entry in snapshot.entries]


def _read(client: ApiClient, snapshot: MemorySnapshot) -> Live:
    return read_live(client, [(entry.object.ref, entry.object.kind) for entry in snapshot.entries])


@dataclass(frozen=True, slots=True)
class Some:
    """What a look at some objects has found, by id, None where there is nothing to say. `unseen` could not be read."""

    found: Mapping[str, DriftItem | None]
    unseen: frozenset[ObjectRef]


def scan_some(
    client: ApiClient,
    scope: Scope,
    refs: Collection[ObjectRef],
    now: datetime,
    suspects: Iterable[Accused] = (),
    census: Census | None = None,
) -> Some:
    """As `scan`, of `refs` alone, guarded or not. Raises ClusterError where nothing answers."""
    kinds = {ref: kind for ref in refs if (kind := scope.kind_of(ref)) is not None}
    live = read_live(client, kinds.items(), DETECT_ONE_BY_ONE)
    snapshot = scope.snapshot
    items = [_item(scope.entries[ref], live, snapshot, now, census) for ref in refs if ref in scope.entries]
    for ref in kinds.keys() - scope.entries.keys():
        tree, (_, policy) = live.objects.get(ref), scope.exclusive[ref.group, ref.kind]
        if tree is not None and _is_stray(ref, tree, policy, snapshot):
            items.append(_stray(ref, tree, policy, snapshot, now, census))
    items = _with_suspects(items, (one for one in suspects if one.ref in refs), now)
    # A stray that could not be read stays as it was.
    silent = (ref for ref in refs if ref in scope.entries or ref not in live.unseen)
    return Some(dict.fromkeys(map(finding_id, silent)) | {item.id: item for item in items}, frozenset(live.unseen))


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the cluster a snapshot is about: its entries, its exclusive kinds with their policies, all its kinds."""

    snapshot: MemorySnapshot
    entries: Mapping[ObjectRef, Entry]
    exclusive: Mapping[tuple[str, str], tuple[KindInfo, Policy]]
    kinds: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, snapshot: MemorySnapshot) -> Scope:
        """The scope of a snapshot."""
        exclusive = {
            (one.ref.group, one.ref.kind): (one.object.kind, one.policy)
            for one in snapshot.entries
            if one.policy.exclusive
        }
        entries = {one.ref: one for one in snapshot.entries}
        return cls(snapshot, entries, exclusive, frozenset((ref.group, ref.kind) for ref in entries))

    def kind_of(self, ref: ObjectRef) -> KindInfo | None:
        """How an object is read: as Git declares it, or others of its exclusive kind; None where it is no concern."""
        entry = self.entries.get(ref)
        if entry is not None:
            return entry.object.kind
        return self.exclusive[ref.group, ref.kind][0] if (ref.group, ref.kind) in self.exclusive else None


def unknown_item(entry: Entry, snapshot: MemorySnapshot, now: datetime, reason: str) -> DriftItem:
    """What is said of an entry that cannot be seen."""
    return drift_item(entry, None, {}, now=now, source=snapshot.sources.get(entry.source), reason=reason)


def _with_suspects(items: list[DriftItem], suspects: Iterable[Accused], now: datetime) -> list[DriftItem]:
    """An untrusted mutator is an object that Git does not declare, or not so; its finding says what it does."""
    by_id = {item.id: item for item in items}
    for suspect in suspects:
        stray = stray_item(suspect.ref, suspect.tree, "", now=now)
        found = by_id.get(stray.id, stray)
        fingerprint = sha256([found.fingerprint, suspect.reason])
        by_id[found.id] = replace(found, reason=str(printable(suspect.reason)), fingerprint=fingerprint)
    return list(by_id.values())


def _is_stray(ref: ObjectRef, tree: Tree, policy: Policy, snapshot: MemorySnapshot) -> bool:
    return concerns(policy, ref, tree) and not is_operators_own(snapshot.rules, ref)


def _stray(
    ref: ObjectRef, tree: Tree, policy: Policy, snapshot: MemorySnapshot, now: datetime, census: Census | None
) -> DriftItem:
    return with_users(stray_item(ref, tree, policy.name, now=now), ABSENT, tree, snapshot.rules, census)


def _item(entry: Entry, live: Live, snapshot: MemorySnapshot, now: datetime, census: Census | None) -> DriftItem:
    item = _compared(entry, live, snapshot, now)
    tree = live.objects.get(entry.object.ref, ABSENT)
    return with_users(item, entry.object.want, tree, snapshot.rules, census)


def _compared(entry: Entry, live: Live, snapshot: MemorySnapshot, now: datetime) -> DriftItem:
    ref = entry.object.ref
    source = snapshot.sources.get(entry.source)
    if ref in live.unseen:
        return unknown_item(entry, snapshot, now, live.unseen[ref])
    tree = live.objects.get(ref)
    if tree is None:
        return drift_item(entry, None, ABSENT, now=now, source=source)
    found = drift_of(entry, tree, snapshot, load_embedded)
    if found.undecided and not found.changes:
        # In doubt is not in sync: without the server's form nobody knows whether these are defaults.
        cause = entry.object.reason or "not confirmed by the API server yet"
        why = f"{cause}; undeclared: {', '.join(one.field for one in found.undecided[:5])}"
        return drift_item(entry, None, tree, now=now, source=source, reason=why)
    patch = repair(found, live_form(tree, snapshot.secret_key))
    return drift_item(entry, found, tree, now=now, source=source, patch=patch)
