"""Owns one pass over the cluster: live objects against their canonical forms, to findings. Must not write them down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import Live, list_live, read_live
from reconciler.compare.patch import repair
from reconciler.gpu.users.model import Census
from reconciler.loop.trust import Accused
from reconciler.loop.users import with_users
from reconciler.model.tree import ABSENT
from reconciler.policy.exclusive import concerns, is_operators_own
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.drift import DriftItem, sha256
from reconciler.report.item import drift_item, stray_item
from reconciler.report.printable import printable
from reconciler.report.scope import drift_of
from reconciler.snapshot.model import Entry, MemorySnapshot


def scan(
    client: ApiClient,
    snapshot: MemorySnapshot,
    now: datetime,
    suspects: Iterable[Accused] = (),
    census: Census | None = None,
) -> list[DriftItem]:
    """Findings of all entries, in sync or not, and of `suspects`. Raises ClusterError where nothing answers.

    `census` says who uses which GPU class, None where nobody knows.
    """
    items = scan_entries(client, snapshot, now, census)
    return _with_suspects([*items, *_strays(client, snapshot, now, census)], suspects, now)


def scan_entries(
    client: ApiClient, snapshot: MemorySnapshot, now: datetime, census: Census | None = None
) -> list[DriftItem]:
    """Findings of the entries alone. Raises ClusterError where nothing answers."""
    live = read_live(client, [(entry.object.ref, entry.object.kind) for entry in snapshot.entries])
    return [_item(entry, live, snapshot, now, census) for entry in snapshot.entries]


def _with_suspects(items: list[DriftItem], suspects: Iterable[Accused], now: datetime) -> list[DriftItem]:
    """An untrusted mutator is an object that Git does not declare, or not so; its finding says what it does."""
    by_id = {item.id: item for item in items}
    for suspect in suspects:
        stray = stray_item(suspect.ref, suspect.tree, "", now=now)
        found = by_id.get(stray.id, stray)
        fingerprint = sha256([found.fingerprint, suspect.reason])
        by_id[found.id] = replace(found, reason=str(printable(suspect.reason)), fingerprint=fingerprint)
    return list(by_id.values())


def _strays(client: ApiClient, snapshot: MemorySnapshot, now: datetime, census: Census | None) -> Iterator[DriftItem]:
    """Objects of exclusive kinds that Git does not declare: one of them changes what the declared ones mean."""
    declared = {entry.object.ref for entry in snapshot.entries}
    exclusive = {entry.object.kind: entry.policy for entry in snapshot.entries if entry.policy.exclusive}
    for kind, policy in exclusive.items():
        for ref, tree in list_live(client, [kind]).objects.items():
            mine = ref not in declared and concerns(policy, ref, tree)
            if mine and not is_operators_own(snapshot.rules, ref):
                yield with_users(stray_item(ref, tree, policy.name, now=now), ABSENT, tree, snapshot.rules, census)


def _item(entry: Entry, live: Live, snapshot: MemorySnapshot, now: datetime, census: Census | None) -> DriftItem:
    item = _compared(entry, live, snapshot, now)
    tree = live.objects.get(entry.object.ref, ABSENT)
    return with_users(item, entry.object.want, tree, snapshot.rules, census)


def _compared(entry: Entry, live: Live, snapshot: MemorySnapshot, now: datetime) -> DriftItem:
    ref = entry.object.ref
    source = snapshot.sources.get(entry.source)
    if ref in live.unseen:
        return drift_item(entry, None, {}, now=now, source=source, reason=live.unseen[ref])
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
