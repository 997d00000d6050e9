"""Owns one pass over the cluster: live objects against their canonical forms, to findings. Must not write them down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import Live, read_live
from reconciler.compare.comparison import Comparison, compare
from reconciler.compare.patch import repair
from reconciler.model.tree import ABSENT
from reconciler.report.drift import DriftItem
from reconciler.report.item import drift_item
from reconciler.snapshot.model import Entry, SourceState


def scan(
    client: ApiClient, entries: Iterable[Entry], sources: Mapping[str, SourceState], secret_key: bytes, now: datetime
) -> list[DriftItem]:
    """Findings of all entries, in sync or not. Raises ClusterError where the API server cannot be reached."""
    wanted = list(entries)
    live = read_live(client, [(entry.object.ref, entry.object.kind) for entry in wanted])
    return [_item(entry, live, sources, secret_key, now) for entry in wanted]


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
