"""Owns one pass over the cluster: live objects against their canonical forms, to findings. Must not write them down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import Live, list_live, read_live
from reconciler.compare.comparison import Comparison, compare
from reconciler.compare.patch import repair
from reconciler.model.tree import ABSENT
from reconciler.report.drift import DriftItem
from reconciler.report.item import drift_item, stray_item
from reconciler.snapshot.model import Entry, SourceState


def scan(
    client: ApiClient, entries: Iterable[Entry], sources: Mapping[str, SourceState], secret_key: bytes, now: datetime
) -> list[DriftItem]:
    """Findings of all entries, in sync or not. Raises ClusterError where the API server cannot be reached."""
    wanted = list(entries)
    live = read_live(client, [(entry.object.ref, entry.object.kind) for entry in wanted])
    return [*(_item(entry, live, sources, secret_key, now) for entry in wanted), *_strays(client, wanted, now)]


def _strays(client: ApiClient, entries: list[Entry], now: datetime) -> Iterator[DriftItem]:
    """Objects of exclusive kinds that Git does not declare: one of them changes what the declared ones mean."""
    declared = {entry.object.ref for entry in entries}
    exclusive = {entry.object.kind: entry.policy.name for entry in entries if entry.policy.exclusive}
    for kind, policy in exclusive.items():
        found = list_live(client, [kind]).objects
        yield from (stray_item(ref, tree, policy, now=now) for ref, tree in found.items() if ref not in declared)


def _item(entry: Entry, live: Live, sources: Mapping[str, SourceState], secret_key: bytes, now: datetime) -> DriftItem:
    ref = entry.object.ref
    source = sources.get(entry.object.provenance.source)
    if ref in live.unseen:
        return drift_item(entry, None, {}, now=now, source=source, reason=live.unseen[ref])
    tree = live.objects.get(ref)
    if tree is None:
        return drift_item(entry, None, ABSENT, now=now, source=source)
    shown = live_form(tree, secret_key)
    found: Comparison = compare(entry.object, shown)
    if found.undecided and not found.changes:
        # In doubt is not in sync: without the server's form nobody knows whether these are defaults.
        cause = entry.object.reason or "not confirmed by the API server yet"
        why = f"{cause}; undeclared: {', '.join(found.undecided[:5])}"
        return drift_item(entry, None, tree, now=now, source=source, reason=why)
    patch = repair(found, shown)
    return drift_item(entry, found, tree, now=now, source=source, patch=patch)
