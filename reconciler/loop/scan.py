"""Owns one pass over the cluster: live objects against their canonical forms, to findings. Must not write them down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import Live, list_live, read_live
from reconciler.compare.patch import repair
from reconciler.gpu.users.model import Census
from reconciler.limits import DETECT_ONE_BY_ONE, PASS_AT_ONCE, PASS_READ_AT_ONCE
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
    scope: Scope,
    now: datetime,
    suspects: Iterable[Accused] = (),
    census: Census | None = None,
    others: Callable[[], None] = lambda: None,
) -> Scan:
    """Findings of all entries, in sync or not, and of `suspects`. Raises ClusterError where nothing answers.

    `census` says who uses which GPU class, None where nobody knows; `others` is called now and then: it is their turn.
    """
    items, unseen, unread = list[DriftItem](), set[ObjectRef](), set[tuple[str, str]]()
    for some in _by_place(scope.snapshot.entries):
        live = _read(client, some)
        items += [_item(entry, live, scope, now, census) for entry in _in_turns(some, others)]
        unseen |= live.unseen.keys()
    # Of exclusive kinds, what Git does not declare, too: one of them changes what the declared ones mean.
    for kind, policy in scope.exclusive.values():
        found = list_live(client, [kind])
        unread |= {(kind.group, kind.kind)} if found.unread else set()
        for ref, tree in found.objects.items():
            if ref not in scope.entries and _is_stray(ref, tree, policy, scope.snapshot):
                items.append(_stray(ref, tree, policy, scope, now, census))
    return Scan(_with_suspects(items, suspects, scope, now), frozenset(unseen), frozenset(unread))


def _by_place(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """All of some kinds and namespaces at a time, so that of a large cluster never all objects are held at once."""
    groups: defaultdict[tuple[KindInfo, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.object.kind, entry.object.ref.namespace].append(entry)
    some: list[Entry] = []
    for group in groups.values():
        some += group
        if len(some) >= PASS_READ_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _in_turns(entries: Iterable[Entry], others: Callable[[], None]) -> Iterator[Entry]:
    """Comparing thousands keeps a core busy for seconds, and what is found as it happens does not wait for that."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % PASS_AT_ONCE == 0:
            others()


def scan_entries(client: ApiClient, scope: Scope, now: datetime, census: Census | None = None) -> list[DriftItem]:
    """Findings of the entries alone. Raises ClusterError where nothing answers."""
    live = _read(client, scope.snapshot.entries)
    return [_item(entry, live, scope, now, census) for entry in scope.snapshot.entries]


def _read(client: ApiClient, entries: Iterable[Entry]) -> Live:
    return read_live(client, [(entry.object.ref, entry.object.kind) for entry in entries])


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
    items = [_item(scope.entries[ref], live, scope, now, census) for ref in refs if ref in scope.entries]
    for ref in kinds.keys() - scope.entries.keys():
        tree, (_, policy) = live.objects.get(ref), scope.exclusive[ref.group, ref.kind]
        if tree is not None and _is_stray(ref, tree, policy, scope.snapshot):
            items.append(_stray(ref, tree, policy, scope, now, census))
    items = _with_suspects(items, (one for one in suspects if one.ref in refs), scope, now)
    # A stray that could not be read stays as it was.
    silent = (ref for ref in refs if ref in scope.entries or ref not in live.unseen)
    nothing = dict.fromkeys(finding_id(ref, scope.cluster) for ref in silent)
    return Some(nothing | {item.id: item for item in items}, frozenset(live.unseen))


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the cluster a snapshot is about: its entries, its exclusive kinds with their policies, all its kinds.

    `cluster` is the name that findings carry, and that their ids are made with.
    """

    snapshot: MemorySnapshot
    cluster: str
    entries: Mapping[ObjectRef, Entry]
    exclusive: Mapping[tuple[str, str], tuple[KindInfo, Policy]]
    kinds: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, snapshot: MemorySnapshot, cluster: str) -> Scope:
        """The scope of a snapshot in a cluster."""
        exclusive = {
            (one.ref.group, one.ref.kind): (one.object.kind, one.policy)
            for one in snapshot.entries
            if one.policy.exclusive
        }
        entries = {one.ref: one for one in snapshot.entries}
        return cls(snapshot, cluster, entries, exclusive, frozenset((ref.group, ref.kind) for ref in entries))

    def kind_of(self, ref: ObjectRef) -> KindInfo | None:
        """How an object is read: as Git declares it, or others of its exclusive kind; None where it is no concern."""
        entry = self.entries.get(ref)
        if entry is not None:
            return entry.object.kind
        return self.exclusive[ref.group, ref.kind][0] if (ref.group, ref.kind) in self.exclusive else None


def unknown_item(entry: Entry, scope: Scope, now: datetime, reason: str) -> DriftItem:
    """What is said of an entry that cannot be seen."""
    source = scope.snapshot.sources.get(entry.source)
    return drift_item(entry, None, {}, now=now, source=source, reason=reason, cluster=scope.cluster)


def _with_suspects(items: list[DriftItem], suspects: Iterable[Accused], scope: Scope, now: datetime) -> list[DriftItem]:
    """An untrusted mutator is an object that Git does not declare, or not so; its finding says what it does."""
    by_id = {item.id: item for item in items}
    for suspect in suspects:
        stray = stray_item(suspect.ref, suspect.tree, "", now=now, cluster=scope.cluster)
        found = by_id.get(stray.id, stray)
        fingerprint = sha256([found.fingerprint, suspect.reason])
        by_id[found.id] = replace(found, reason=str(printable(suspect.reason)), fingerprint=fingerprint)
    return list(by_id.values())


def _is_stray(ref: ObjectRef, tree: Tree, policy: Policy, snapshot: MemorySnapshot) -> bool:
    return concerns(policy, ref, tree) and not is_operators_own(snapshot.rules, ref)


def _stray(ref: ObjectRef, tree: Tree, policy: Policy, scope: Scope, now: datetime, census: Census | None) -> DriftItem:
    found = stray_item(ref, tree, policy.name, now=now, cluster=scope.cluster)
    return with_users(found, ABSENT, tree, scope.snapshot.rules, census)


def _item(entry: Entry, live: Live, scope: Scope, now: datetime, census: Census | None) -> DriftItem:
    item = _compared(entry, live, scope, now)
    tree = live.objects.get(entry.object.ref, ABSENT)
    return with_users(item, entry.object.want, tree, scope.snapshot.rules, census)


def _compared(entry: Entry, live: Live, scope: Scope, now: datetime) -> DriftItem:
    ref, snapshot = entry.object.ref, scope.snapshot
    if ref in live.unseen:
        return unknown_item(entry, scope, now, live.unseen[ref])
    item = partial(drift_item, entry, now=now, source=snapshot.sources.get(entry.source), cluster=scope.cluster)
    tree = live.objects.get(ref)
    if tree is None:
        return item(None, ABSENT)
    found = drift_of(entry, tree, snapshot, load_embedded)
    if found.undecided and not found.changes:
        # In doubt is not in sync: without the server's form nobody knows whether these are defaults.
        cause = entry.object.reason or "not confirmed by the API server yet"
        why = f"{cause}; undeclared: {', '.join(one.field for one in found.undecided[:5])}"
        return item(None, tree, reason=why)
    patch = repair(found, live_form(tree, snapshot.secret_key))
    return item(found, tree, patch=patch)
