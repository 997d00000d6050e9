"""Owns the work of one reconciler: sources → snapshot → server forms → snapshot → live → findings.

`sync` answers a push or a waiting writer, so it publishes at once in the offline form; `confirm` and `scan` follow in
the background. A failed step never replaces what was good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.canonical.engine import Context
from reconciler.cluster.api import ApiClient
from reconciler.cluster.causes import read_causes
from reconciler.cluster.discovery import Discovery
from reconciler.errors import ClusterError, UsageError
from reconciler.limits import FORMS_AT_ONCE, FORMS_QUICKLY, QUICK_FORMS_SECONDS
from reconciler.loop.assemble import Assembly, Declared, assemble
from reconciler.loop.catalogs import Catalogs
from reconciler.loop.forms import Forms
from reconciler.loop.revisions import history, passed_over, recalled
from reconciler.loop.scan import look, scan, summed
from reconciler.loop.server_state import Server, ServerState
from reconciler.loop.sources import Good, Sources
from reconciler.loop.standing import Mode, Standing
from reconciler.loop.trust import UNTRUSTED, View, accused, basis, mutating
from reconciler.policy.expiry import active
from reconciler.policy.model import Rules
from reconciler.render.spec import Capabilities
from reconciler.report.drift import DriftItem, stamp
from reconciler.schema.builtin import Builtin
from reconciler.snapshot.model import Earlier, Entry, MemorySnapshot, SourceState
from reconciler.store.deletes import with_deletes
from reconciler.store.departures import with_grants
from reconciler.store.findings import replace_findings
from reconciler.store.snapshot_file import publish
from reconciler.store.sources import keep_sources, save_source
from reconciler.store.state import State


def _nothing(_: object) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Reconciler:
    """One installation. `published` is called after each new snapshot, `say` with one line for the log.

    `client` reads the cluster, `forms` holds the server engine's client; without a client everything stays offline.
    `current` is given what the process before this one has enforced: it holds for every source until that is read.
    `enforce`: sources that are new, or were watched, are enforced from the start.
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
    enforce: bool = False
    problems: tuple[str, ...] = ()
    _assembly: Assembly = field(default_factory=Assembly)
    _contexts: Mapping[str, Context] = field(default_factory=dict)
    _active: Rules = field(init=False)
    _catalogs: Catalogs = field(init=False)
    _expired: tuple[str, ...] = ()
    _dirty: bool = False
    _goods: dict[str, Good] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)
    _server: Server = field(init=False)
    _standing: Standing = field(init=False)
    _typed: tuple[object, ...] = ()
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _confirming: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = Server(self.client, self.discovery)
        self._catalogs = Catalogs(self.builtin)
        self._standing = Standing(self.state, self.say, self._look_at, self.enforce, self.current)

    def sync(self, names: Iterable[str] = (), ahead: Callable[[str], None] = _nothing) -> str:
        """Look at Git (named sources, or all) and enforce what is new; returns the digest of the current snapshot.

        `ahead` is given the name of each source whose remote is ahead of what is enforced, as soon as that is seen.
        Several threads may call this: nobody waits for a source that they did not name.
        """
        if self.discovery is not None:
            self.sources.cluster = Capabilities.of(self.discovery.version, self.discovery.kinds())
        self.sources.refresh(names, lambda name, commit: ahead(name) if self._is_ahead(name, commit) else None)
        with self._lock:
            before = self._states
            self._save_sources()
            self._tell()
            if self._is_dirty or (self.current is None and self.whole):
                # Dirty until it is published: a disk that was full for a moment must not lose a revision.
                self._dirty = True
                self._assemble()
                self._publish()
                self._dirty = False
            now = self._states
        self._catch_up(before, now)
        return self.digest

    def trouble(self, name: str) -> str:
        """Why the newest revision of a source is not enforced, as far as that is known; "" when it is."""
        status = self.sources.status.get(name)
        if status is not None and status.state != "Ready":
            return status.message
        good, enforced = self.sources.good.get(name), self._states.get(name)
        late = good is not None and (enforced is None or not enforced.same_as(good.state))
        return "its newest revision could not be published" if late else ""

    def _is_ahead(self, name: str, commit: str) -> bool:
        """A commit that could not be rendered before is not news that somebody's write may hide behind."""
        enforced, status = self._states.get(name), self.sources.status.get(name)
        failed = status is not None and status.state == "RenderFailed" and commit in status.attempted
        return not failed and (enforced is None or enforced.commit != commit)

    def _catch_up(self, before: Mapping[str, SourceState], now: Mapping[str, SourceState]) -> None:
        """Publish also what commits wanted that a push has passed over: a writer may act by one of them."""
        skipped = [(name, commit) for name in now for commit in passed_over(before.get(name), now[name])]
        rendered = [(self._contexts.get(name), commit, self.sources.at(name, commit)) for name, commit in skipped]
        if not any(objects for _, _, objects in rendered):
            return
        with self._lock:
            context: Context | None
            passed: list[Earlier] = []
            for context, commit, objects in rendered:
                if context is not None:
                    one = assemble([(context, objects)], self._active, self._assembly)
                    passed += (Earlier(entry, commit) for entry in one.entries(self.forms.confirmed, {}, self._entries))
            self._publish(passed)

    @property
    def _states(self) -> Mapping[str, SourceState]:
        return self.current.sources if self.current is not None else {}

    @property
    def _entries(self) -> tuple[Entry, ...]:
        return self.current.entries if self.current is not None else ()

    @property
    def _is_dirty(self) -> bool:
        return self._dirty or any(self._goods.get(name) is not good for name, good in list(self.sources.good.items()))

    @property
    def digest(self) -> str:
        """Digest of the snapshot that is enforced, "" while there is none."""
        return self.current.digest if self.current is not None else ""

    @property
    def whole(self) -> bool:
        """True when every source that is followed has been read, and what they say is published."""
        wanted = (source.name for source in self.sources.configured if not source.suspend)
        return not self._is_dirty and all(name in self.sources.good for name in wanted)

    def confirm(self, now: datetime, *, quickly: bool = False) -> int:
        """Ask the server engine for forms that are due, a batch at a time; publish what is new. Returns how many are.

        `quickly`: somebody waits, so only where few are due.
        """
        if not self._confirming.acquire(timeout=QUICK_FORMS_SECONDS if quickly else -1):
            return 0
        try:
            pending, _ = self._pending(now)
            many = quickly and len(pending) > FORMS_QUICKLY
            new = self._ask(now) if pending and not many else 0
            reasons = dict(self.forms.reasons)
            if new or reasons != self._reasons:
                self._explain(reasons)
                with self._lock:
                    if self.current is not None:
                        self._publish()
            return new
        finally:
            self._confirming.release()

    def scan(self, now: datetime) -> int:
        """Compare everything with the cluster and store the findings; returns how many objects are not in sync."""
        with self._lock:
            snapshot = self.current
        if self.client is None or snapshot is None:
            return 0
        unasked = {one.rendered.provenance.source for one in self._pending(now)[0]}
        items = scan(self.client, snapshot, now, accused(list(self.forms.suspicions.values()), self.forms.view))
        with self._lock:
            if snapshot is self.current and self._standing.scanned(snapshot, items, unasked):
                self._publish()
        named = with_deletes(self.state, with_grants(self.state, items))
        replace_findings(self.state, named, summed(items, snapshot.digest, now, self._expired))
        return sum(item.state != "in-sync" for item in items)

    def switch(self, names: Iterable[str], *, enforced: bool) -> dict[str, tuple[Mode, Mode]]:
        """Enforce these sources (none: all), or only watch them; returns the modes before and after.

        Raises UsageError for a name that is not configured.
        """
        known = [source.name for source in self.sources.configured]
        wanted = list(names) or known
        if strange := [name for name in wanted if name not in known]:
            raise UsageError(f"no source is named {strange[0]!r}", hint=f"configured are: {', '.join(known) or 'none'}")
        with self._lock:
            before = {name: self._standing.mode(name) for name in wanted}
            for name in wanted:
                self._standing.switch(name, enforced=enforced)
            if self.current is not None:
                self._publish()
            return {name: (before[name], self._standing.mode(name)) for name in wanted}

    def rediscover(self, now: datetime) -> None:
        """Look whether the cluster serves other kinds now or decides forms otherwise; end waits whose cause is gone."""
        if self.discovery is None or self.client is None:
            return
        with self._confirming:
            self.discovery.refresh()
            self._retype()
            self._look(now)
            self.forms.note(read_causes(self.client, self.discovery.kinds(), self.forms.causes))

    def upkeep(self) -> None:
        """Give whoever registers the chance to renew what ends with time; rules end with their day."""
        with self._lock:
            if self.current is not None and active(self.rules, datetime.now(UTC).date())[1] != self._expired:
                self._assemble()
                self._publish()
        if self.current is not None:
            self.published(self.current)

    def _assemble(self) -> None:
        self._active, self._expired = active(self.rules, datetime.now(UTC).date())
        for line in self._expired:
            self.say(line)
        # Other threads read sources meanwhile: what is assembled here is what is published.
        good = dict(self.sources.good)
        self._goods = {source.name: good[source.name] for source in self.sources.configured if source.name in good}
        goods = self._goods.values()
        catalog = self._catalogs.of((one for good in goods for one in good.objects), self._active, self.discovery)
        before = self._assembly if all(one.catalog is catalog for one in self._contexts.values()) else None
        self._contexts = {
            good.state.name: Context(catalog, self._active, self.secret_key, good.spec.namespace or "default")
            for good in goods
        }
        pairs = [(self._contexts[good.state.name], good.objects) for good in goods]
        self._assembly = assemble(pairs, self._active, before)
        if self._assembly.problems != self.problems:
            for problem in self._assembly.problems:
                self.say(problem)
        self.problems = self._assembly.problems
        self._inherit()
        self.forms.forget(one.key for one in self._assembly.objects.values())
        self._typed = self._types()
        self._see()

    def _publish(self, passed: Iterable[Earlier] = ()) -> None:
        kept, states = self._carried()
        for name, good in self._goods.items():
            states[name] = replace(good.state, history=history(good.log, self._states.get(name)))
        entries = (*self._assembly.entries(self.forms.confirmed, self.forms.reasons, self._entries), *kept)
        unnamed = self._standing.applied(MemorySnapshot(entries, self._active, states, self.secret_key))
        unnamed = replace(unnamed, before=recalled(unnamed.entries, states, self.current, passed))
        digest = publish(unnamed, self.snapshots)
        if digest != self.digest:
            self.current = replace(unnamed, digest=digest)
            self.say(f"snapshot {digest[:12]}: {len(entries)} objects of {len(states)} sources")
            self.published(self.current)

    def _look_at(self, snapshot: MemorySnapshot) -> list[DriftItem] | None:
        """How the entries stand in the cluster; None where there is none. Raises ClusterError."""
        return None if self.client is None else look(self.client, snapshot, datetime.now(UTC))

    def _carried(self) -> tuple[tuple[Entry, ...], dict[str, SourceState]]:
        """What the sources that nobody could read yet declared when the process before this one read them."""
        if self.current is None:
            return (), {}
        wanted = (source.name for source in self.sources.configured if source.name not in self._goods)
        unread = {name: self.current.sources[name] for name in wanted if name in self.current.sources}
        entries = (
            entry
            for entry in self.current.entries
            if entry.object.provenance.source in unread and entry.object.ref not in self._assembly.objects
        )
        return tuple(entries), unread

    def _inherit(self) -> None:
        """Hold the server forms of the process before this one until all is asked anew: a restart weakens no guard.

        Only of sources that stand where they stood: then their objects are the same.
        """
        if self.current is None or self.forms.client is None:
            return
        good = self._goods
        same = {name for name, one in self.current.sources.items() if name in good and good[name].state.same_as(one)}
        refs = mutating(entry.object.ref for entry in self.current.entries)
        for entry in self.current.entries:
            declared = self._assembly.objects.get(entry.object.ref)
            if (
                declared is not None
                and declared.rendered.provenance.source in same
                and entry.object.confidence == "server"
            ):
                self.forms.adopt(declared.key, entry.object, basis(entry.policy, refs))

    def _ask(self, now: datetime) -> int:
        """Ask for a batch of what is due, if the server is as it was for a while; returns how many forms are new."""
        try:
            settled = self._look(now)
        except ClusterError as error:
            self.forms.hold(self._pending(now)[0], error.message, now.timestamp())
            return 0
        pending, contexts = self._pending(now)  # by what the server is now
        if not settled:
            return 0
        if len(pending) > FORMS_AT_ONCE:
            self.say(f"server forms: {len(pending)} objects wait")
        return self.forms.confirm(pending[:FORMS_AT_ONCE], contexts, now.timestamp(), self._server.unchanged)

    def _pending(self, now: datetime) -> tuple[list[Declared], Mapping[str, Context]]:
        with self._lock:
            return self.forms.pending(self._assembly.objects.values(), now.timestamp()), self._contexts

    def _look(self, now: datetime) -> bool:
        """Look at what decides forms at the server; False while a change there may not be in force everywhere yet."""
        first = self._server.state == ServerState()
        pods = {ref.namespace for ref in self._assembly.objects if (ref.group, ref.kind) == ("", "Pod")}
        if self._server.look(now.timestamp(), pods):
            self._typed = self._types() if first else self._typed
            self._retype()
            with self._lock:
                self._see()
        return self._server.settled(now.timestamp())

    def _retype(self) -> None:
        """Assemble anew where the server's kinds, or the types of declared ones, are others than when it was done."""
        with self._lock:
            if self.current is not None and self._types() != self._typed:
                self._assemble()
                self._publish()

    def _types(self) -> tuple[object, ...]:
        return self._server.types(one.kind.api_version for one in self._assembly.objects.values())

    def _see(self) -> None:
        self.forms.view = View.of(self._server.state, self._assembly.objects, self.secret_key)

    def _explain(self, reasons: dict[str, str]) -> None:
        """Say once why forms are missing; of each mutator that it is not trusted, and that it does no harm any more."""
        for reason in sorted(set(reasons.values()) - set(self._reasons.values())):
            if not reason.startswith(UNTRUSTED):
                self.say(f"no server form for now: {reason}")
        self._reasons = reasons
        told = {name for name in self._told if name.startswith(UNTRUSTED)}
        now = {f"{UNTRUSTED} {one.ref}": one for one in accused(self.forms.suspicions.values(), self.forms.view)}
        for name in now.keys() - told:
            self._told[name] = now[name].reason
            self.say(f"{now[name].ref}: {now[name].reason}")
        for name in told - now.keys():
            del self._told[name]
            self.say(f"{name.removeprefix(UNTRUSTED).strip()}: changes nothing of what Git declares any more")

    def _tell(self) -> None:
        """Say once what is wrong with a source, or what its renderer has noted, and once that it is well again."""
        for name, status in list(self.sources.status.items()):
            said = f"{status.state}: {status.message}" if status.message else "ready again"
            if said != self._told.get(name, "ready again"):
                stays = status.state != "Ready" and (status.enforced or name in self._known())
                self.say(f"source {name}: {said}" + ("; the last good revision stays" if stays else ""))
                self._told[name] = said

    def _known(self) -> Iterable[str]:
        return self.current.sources if self.current is not None else ()

    def _save_sources(self) -> None:
        now = stamp(datetime.now(UTC))
        for status in list(self.sources.status.values()):
            save_source(self.state, status, now)
        keep_sources(self.state, [source.name for source in self.sources.configured])
