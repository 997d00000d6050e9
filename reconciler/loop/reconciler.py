"""Owns the work of one reconciler: sources → snapshot → server forms → snapshot → live → findings.

`sync` answers a push or a waiting writer, so it publishes at once in the offline form; `confirm` and `scan` follow in
the background. A failed step never replaces what was good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reconciler.canonical.engine import Context
from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.loop.assemble import Assembly, assemble
from reconciler.loop.forms import Forms
from reconciler.loop.scan import scan
from reconciler.loop.sources import Sources
from reconciler.model.objects import RenderedObject
from reconciler.policy.model import Rules
from reconciler.report.drift import stamp
from reconciler.schema.builtin import Builtin
from reconciler.schema.catalog import CRD, Authority, Catalog
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.snapshot_file import publish
from reconciler.store.sources import keep_sources, save_source
from reconciler.store.state import State


def _nothing(_: object) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Reconciler:
    """One installation. `published` is called after each new snapshot, `say` with one line for the log.

    `client` reads the cluster, `forms` holds the server engine's client; without a client everything stays offline.
    """

    sources: Sources
    forms: Forms
    rules: Rules
    builtin: Builtin
    secret_key: bytes
    snapshots: Path
    state: State
    client: ApiClient | None = None
    discovery: Discovery | None = None
    published: Callable[[MemorySnapshot], None] = _nothing
    say: Callable[[str], None] = _nothing
    current: MemorySnapshot | None = None
    problems: tuple[str, ...] = ()
    _assembly: Assembly = field(default_factory=Assembly)
    _contexts: Mapping[str, Context] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def sync(self, names: Iterable[str] = ()) -> str:
        """Look at Git (named sources, or all) and enforce what is new; returns the digest of the current snapshot."""
        with self._lock:
            changed = self.sources.refresh(names)
            self._save_sources()
            if not self.sources.complete:
                self.say("not every source could be read yet: the last good snapshot stays")
            elif changed or self.current is None:
                self._assemble()
                self._publish()
            return self.digest

    @property
    def digest(self) -> str:
        """Digest of the snapshot that is enforced, "" while there is none."""
        return self.current.digest if self.current is not None else ""

    def confirm(self, now: datetime) -> int:
        """Ask the server engine for every form that is due; publish if any is new. Returns how many are new."""
        with self._lock:
            assembly, contexts = self._assembly, self._contexts
        pending = self.forms.pending(assembly.objects.values(), now.timestamp())
        if not pending:
            return 0
        before = set(self.forms.reasons.values())
        new = self.forms.confirm(pending, contexts, now.timestamp())
        for reason in sorted(set(self.forms.reasons.values()) - before):
            self.say(f"no server form for now: {reason}")
        with self._lock:
            if new and self.current is not None:
                self._publish()
        return new

    def scan(self, now: datetime) -> int:
        """Compare everything with the cluster and store the findings; returns how many objects are not in sync."""
        with self._lock:
            snapshot = self.current
        if self.client is None or snapshot is None:
            return 0
        items = scan(self.client, snapshot.entries, snapshot.sources, self.secret_key, now)
        counts: dict[str, int] = {}
        for item in items:
            key = managed_key(item.kind, item.group, item.source.name)
            counts[key] = counts.get(key, 0) + 1
        replace_findings(self.state, items, Pass(stamp(now), snapshot.digest, counts))
        return sum(item.state != "in-sync" for item in items)

    def rediscover(self) -> None:
        """The cluster may serve other kinds now: read them anew, and try what had to wait."""
        if self.discovery is None:
            return
        before = set(self.discovery.kinds())
        self.discovery.refresh()
        if set(self.discovery.kinds()) != before:
            with self._lock:
                self.forms.retry_now()
                if self.current is not None:
                    self._assemble()
                    self._publish()

    def upkeep(self) -> None:
        """Give whoever registers the chance to renew what ends with time."""
        if self.current is not None:
            self.published(self.current)

    def _assemble(self) -> None:
        goods = [
            self.sources.good[source.name] for source in self.sources.configured if source.name in self.sources.good
        ]
        catalog = self._catalog([good.objects for good in goods])
        self._contexts = {
            good.state.name: Context(catalog, self.rules, self.secret_key, good.spec.namespace or "default")
            for good in goods
        }
        self._assembly = assemble([(self._contexts[good.state.name], good.objects) for good in goods], self.rules)
        if self._assembly.problems != self.problems:
            for problem in self._assembly.problems:
                self.say(problem)
        self.problems = self._assembly.problems
        self.forms.forget(one.key for one in self._assembly.objects.values())

    def _catalog(self, objects: Iterable[Iterable[RenderedObject]]) -> Catalog:
        crds = [one.tree for group in objects for one in group if (one.ref.group, one.ref.kind) == CRD]
        authorities: tuple[Authority, ...] = (self.builtin,)
        if self.discovery is not None:
            authorities = (self.discovery, self.builtin)
        return Catalog(authorities, self.rules.lists, crds)

    def _publish(self) -> None:
        states: dict[str, SourceState] = {name: good.state for name, good in self.sources.good.items()}
        entries = self._assembly.entries(self.forms.confirmed, self.forms.reasons)
        unnamed = MemorySnapshot(entries, self.rules, states, self.secret_key)
        digest = publish(unnamed, self.snapshots)
        if digest != self.digest:
            self.current = MemorySnapshot(entries, self.rules, states, self.secret_key, digest)
            self.say(f"snapshot {digest[:12]}: {len(entries)} objects of {len(states)} sources")
            self.published(self.current)

    def _save_sources(self) -> None:
        now = stamp(datetime.now(UTC))
        for status in self.sources.status.values():
            save_source(self.state, status, now)
        keep_sources(self.state, [source.name for source in self.sources.configured])
