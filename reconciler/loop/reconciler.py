"""Owns the work of one reconciler: sources → snapshot → server forms → snapshot → live → findings.

`sync` answers a push or a waiting writer, so it publishes in the offline form; the rest follows in the background.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.canonical.engine import Context
from reconciler.cluster.api import ApiClient
from reconciler.cluster.causes import read_causes
from reconciler.cluster.discovery import Discovery
from reconciler.errors import ClusterError
from reconciler.limits import FORMS_AT_ONCE, FORMS_QUICKLY, QUICK_FORMS_SECONDS
from reconciler.loop.assemble import Assembly, Declared, assemble, carried
from reconciler.loop.catalogs import Catalogs, contexts_of
from reconciler.loop.forms import Forms
from reconciler.loop.ledger import About, Ledger
from reconciler.loop.owners import owners
from reconciler.loop.reading import Good
from reconciler.loop.revisions import aged, passed_over, recalled, remembered, wanted_earlier
from reconciler.loop.scan import Scope, scan_entries
from reconciler.loop.server_state import Server, ServerState
from reconciler.loop.sources import Sources
from reconciler.loop.standing import Standing
from reconciler.loop.talk import Talk
from reconciler.loop.trust import View
from reconciler.model.instant import stamp
from reconciler.policy.expiry import active
from reconciler.policy.model import Rules
from reconciler.render.spec import Capabilities
from reconciler.report.drift import DriftItem
from reconciler.report.standing import Mode
from reconciler.schema.builtin import Builtin
from reconciler.snapshot.model import Earlier, MemorySnapshot, SourceState
from reconciler.store.snapshot_file import publish
from reconciler.store.sources import read_successes, save_sources
from reconciler.store.state import State


def _nothing(_: object) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Reconciler:
    """One installation. `preparing` is called before each new snapshot, `published` after it, `say` with one line.

    `client` reads the cluster, `forms` holds the server engine's client; without a client everything stays offline.
    `current` is given what the process before this one has enforced: it holds for every source until that is read.
    `enforce`: sources that are new, or were watched, are enforced at once. `rules` may be replaced while it runs.
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
    preparing: Callable[[MemorySnapshot], None] = _nothing
    published: Callable[[MemorySnapshot], None] = _nothing
    say: Callable[[str], None] = _nothing
    current: MemorySnapshot | None = None
    enforce: bool = False
    ledger: Ledger = field(init=False)
    _assembly: Assembly = field(default_factory=Assembly)
    _contexts: Mapping[str, Context] = field(default_factory=dict)
    _active: Rules = field(init=False)
    _ruled: Rules = field(init=False)
    _catalogs: Catalogs = field(init=False)
    _expired: tuple[str, ...] = ()
    _dirty: bool = False
    _goods: dict[str, Good] = field(default_factory=dict)
    _talk: Talk = field(init=False)
    _server: Server = field(init=False)
    _standing: Standing = field(init=False)
    _typed: tuple[object, ...] = ()
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _confirming: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._ruled = self._active = self.current.rules if self.current is not None else self.rules
        self._server, self._catalogs = Server(self.client, self.discovery), Catalogs(self.builtin)
        self._talk, self.ledger = Talk(self.say), Ledger(self.state, self.say, self.sources)
        self.sources.succeeded |= read_successes(self.state, self.sources.named())

        def look(one: MemorySnapshot) -> list[DriftItem] | None:
            scope = Scope.of(one, self.state.cluster)
            return None if self.client is None else scan_entries(self.client, scope, datetime.now(UTC))

        self._standing = Standing(self.state, self.say, look, self.enforce, self.current)

    def sync(self, names: Iterable[str] = (), ahead: Callable[[str], None] = _nothing) -> str:
        """Look at Git (named sources, or all) and enforce what is new; returns the digest of the current snapshot.

        `ahead` is given the name of each source whose remote is ahead of what is enforced, as soon as that is seen.
        Several threads may call this: nobody waits for a source that they did not name.
        """
        if self.discovery is not None:
            self.sources.cluster = Capabilities.of(self.discovery.version, self.discovery.kinds())
        self.sources.refresh(names, ahead, self._last)
        return self.renew()

    def renew(self) -> str:
        """Keep how sources are, and publish what they say; returns the digest of the current snapshot."""
        with self._lock:
            before, statuses = self._last.sources, self.sources.statuses(datetime.now(UTC))
            save_sources(self.state, statuses, stamp(datetime.now(UTC)))
            self._talk.sources(statuses, before)
            if self._is_dirty or (self.current is None and self.whole):
                # Dirty until it is published: a disk that was full for a moment must not lose a revision.
                self._dirty = True
                self._assemble()
                self._publish()
                self._dirty = False
            now = self._last.sources
        self._catch_up(before, now)
        return self.digest

    def age(self, now: datetime) -> None:
        """Publish anew where Git could not be followed for long, or can be again: denials say so."""
        if aged(self._last.sources, self.sources.stale(now)) != self._last.sources:
            self._dirty = True
            self.renew()

    def trouble(self, name: str) -> str:
        """Why the newest revision of a source is not enforced, as far as that is known; "" when it is."""
        return self.sources.trouble(name, self._last.sources.get(name))

    def _catch_up(self, before: Mapping[str, SourceState], now: Mapping[str, SourceState]) -> None:
        """Publish also what commits wanted that a push has passed over: a writer may act by one of them."""
        passed = [one for name in now for one in self.sources.passed(name, passed_over(before.get(name), now[name]))]
        with self._lock:
            one = (self._contexts, self._active, self._assembly)
            if earlier := wanted_earlier(passed, *one, self.forms.confirmed, self._last.entries):
                self._publish(earlier)

    @property
    def _last(self) -> MemorySnapshot:
        return self.current or MemorySnapshot((), Rules(()))

    @property
    def _is_dirty(self) -> bool:
        # While nothing is known of any source there is nothing that rules could be for.
        waits, goods = not self._goods and self.current is None, self.sources.goods()
        same = goods.keys() == self._goods.keys() and all(self._goods[name] is goods[name] for name in goods)
        return self._dirty or not same or not (waits or self._ruled is self.rules)

    @property
    def digest(self) -> str:
        """Digest of the snapshot that is enforced, "" while there is none."""
        return self._last.digest

    @property
    def whole(self) -> bool:
        """True when every source that is followed has been read, and what they say is published."""
        return not self._is_dirty and all(one.suspend or one.name in self._goods for one in self.sources.configured)

    def confirm(self, now: datetime, *, quickly: bool = False) -> int:
        """Publish forms that are due, asked for a batch at a time (`quickly`: where they are few); how many are new."""
        if not self._confirming.acquire(timeout=QUICK_FORMS_SECONDS if quickly else -1):
            return 0
        try:
            due = len(self._pending(now)[0])
            new = self._ask(now) if due and not (quickly and due > FORMS_QUICKLY) else 0
            if self._talk.forms(dict(self.forms.reasons), self.forms.accused) or new:
                with self._lock:
                    if self.current is not None:
                        self._publish()
            return new
        finally:
            self._confirming.release()

    @property
    def unasked(self) -> set[str]:
        """Sources with forms that the server was not asked about yet."""
        return {one.form.provenance.source for one in self.forms.unasked(self._assembly.declared)}

    @property
    def undecided(self) -> bool:
        """Whether a full pass would decide on a source that is new."""
        new = {name for name in self._last.sources if self._standing.mode(name) == "new"}
        return bool(new) and not new <= self.unasked

    def decide(self, snapshot: MemorySnapshot, items: Collection[DriftItem], unasked: Collection[str]) -> None:
        """Decide by a comparison which sources and objects are enforced, see `Standing.scanned`."""
        with self._lock:
            if snapshot.digest == self.digest and self._standing.scanned(snapshot, items, unasked):
                self._publish()

    def about(self, snapshot: MemorySnapshot) -> About:
        """What is to be said of the desired state, by the cluster as it is now."""
        return About(self._expired, (*self.sources.problems(snapshot), *self._assembly.problems))

    def switch(self, names: Iterable[str], *, enforced: bool) -> dict[str, tuple[Mode, Mode]]:
        """Enforce these sources (none: all), or only watch them; modes before and after. UsageError: unknown name."""
        with self._lock:
            modes = self._standing.switched(self.sources.named(names), enforced=enforced)
            if self.current is not None:
                self._publish()
            return modes

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
        self._ruled = self.rules
        self._active, self._expired = active(self._ruled, datetime.now(UTC).date())
        self._goods = self.sources.goods()  # other threads read sources meanwhile: this is what is published
        objects = (one for good in self._goods.values() for one in good.objects)
        catalog = self._catalogs.of(objects, self._active, self.discovery)
        before = self._assembly if all(one.catalog is catalog for one in self._contexts.values()) else None
        self._contexts = contexts_of(catalog, self._active, self.secret_key, self._goods)
        pairs = ((self._contexts[name], good.objects) for name, good in self._goods.items())
        known = owners(self._last, {name: good.state for name, good in self._goods.items()})
        unread = set(self.sources.named()) - self._goods.keys()
        others = [one.object.want for one in self._last.entries if one.source in unread]
        self._assembly = assemble(pairs, self._active, before, known, others)
        self._talk.problems((*self._expired, *self.about(self._last).problems))
        same = [name for name, good in self._goods.items() if good.state.same_as(self._last.sources.get(name))]
        self.forms.inherit(self._last.entries, same, self._assembly.objects)
        self.forms.forget(one.key for one in self._assembly.objects.values())
        self._typed = self._server.types(self._assembly.versions)
        self.forms.view = View.of(self._server.state, self._assembly.objects, self.secret_key)

    def _publish(self, passed: Iterable[Earlier] = ()) -> None:
        # What nobody could read yet stays as the process before this one has read it.
        states = remembered(self._goods, {name: self._last.sources.get(name) for name in self.sources.named()})
        kept = carried(self._last.entries, states.keys() - self._goods.keys(), self._assembly)
        entries = (*self._assembly.entries(self.forms.confirmed, self.forms.reasons, self._last.entries), *kept)
        states = aged(states, self.sources.stale(datetime.now(UTC)))
        unnamed = self._standing.applied(MemorySnapshot(entries, self._assembly.rules, states, self.secret_key))
        unnamed = replace(unnamed, before=recalled(unnamed.entries, states, self.current, passed))
        self.preparing(unnamed)
        self.ledger.orphans.note(self._last, unnamed, datetime.now(UTC))
        digest = publish(unnamed, self.snapshots)
        if digest != self.digest:
            self.current = replace(unnamed, digest=digest)
            self.say(f"snapshot {digest[:12]}: {len(entries)} objects of {len(states)} sources")
            self.published(self.current)

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
            return self.forms.pending(self._assembly.declared, now.timestamp()), self._contexts

    def _look(self, now: datetime) -> bool:
        """Look at what decides forms at the server; False while a change there may not be in force everywhere yet."""
        first = self._server.state == ServerState()
        pods = {ref.namespace for ref in self._assembly.objects if (ref.group, ref.kind) == ("", "Pod")}
        if self._server.look(now.timestamp(), pods):
            self._typed = self._server.types(self._assembly.versions) if first else self._typed
            self._retype()
            with self._lock:
                self.forms.view = View.of(self._server.state, self._assembly.objects, self.secret_key)
        return self._server.settled(now.timestamp())

    def _retype(self) -> None:
        """Assemble anew where the server's kinds, or the types of declared ones, are others than when it was done."""
        with self._lock:
            if self.current is not None and self._server.types(self._assembly.versions) != self._typed:
                self._assemble()
                self._publish()
