"""Owns the reconciler process: clients, sources and registration put together. `setscrew reconcile` runs it.

Must not decide or compare: it only wires `reconciler.loop` to `webhook.registration`.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.cluster.audit_log import AuditLog
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.events import EventSink
from reconciler.gpu.users import published
from reconciler.gpu.users.shrink import WATCHED
from reconciler.limits import DETECT_CONNECTIONS, TRIM_SECONDS
from reconciler.loop.correcting import Healer
from reconciler.loop.desired import Desired
from reconciler.loop.forms import Forms
from reconciler.loop.healing import Healing
from reconciler.loop.inventory import Declared, Inventory
from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.ruling import Ruling
from reconciler.loop.serve import Clockwork
from reconciler.loop.sources import Sources
from reconciler.loop.telling import Telling
from reconciler.loop.unmanaged import Counting
from reconciler.loop.watching import Watching
from reconciler.render import isolation
from reconciler.render.cache import RenderCache
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.files import SecretFiles
from reconciler.store.blind import REGISTERED, StoredBlindLog, save_watch
from reconciler.store.schema_data import load_builtin
from setscrew import configuration, grants, statedir
from setscrew.adoption import Follower, adopting, cluster_secrets, kept_definitions
from setscrew.options import Options
from setscrew.registrar import Registrar
from setscrew.site import Site
from setscrew.store import open_store
from setscrew.talk import tell
from webhook.registration.places import never_asked
from webhook.server import memory
from webhook.server.census import CensusFeed
from webhook.server.feed import Feed


def run(options: Options) -> None:
    """Reconcile until SIGTERM or SIGINT. Raises SetscrewError for what cannot work at all."""
    clockwork = make(options)
    if reason := isolation.missing():
        say(f"renderers run without a network namespace of their own ({reason}): keep a network policy")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: clockwork.stop())
    clockwork.run()


def make(options: Options, site: Site | None = None) -> Clockwork:
    """The clockwork of one installation, wired but not started; `site` None: it is one machine."""
    state_dir = statedir.prepare(options.state_dir)
    options, site = replace(options, state_dir=state_dir), site or Site.of(options)
    memory.settle()
    last = _last(state_dir)
    config = site.configured.begin(last) if site.configured else configuration.load(options.config_dir)
    client = site.client()
    builtin = load_builtin()
    state = open_store(state_dir)
    blind = StoredBlindLog(state, say, _now)
    grants.take_configured(state, state_dir, config.grants, config.rules.grants, datetime.now(UTC).timestamp(), say)
    certificates = site.certificates(options, say)
    registrar = Registrar(client, state_dir, site.url, say, certificates, blind, service=site.service)
    registrar.note = partial(save_watch, state, REGISTERED)
    discovery = Discovery(client, builtin) if client is not None else None
    ruling = Ruling(configuration.mig_table(options.config_dir), (discovery or builtin).kind)
    reconciler = Reconciler(
        sources=Sources(config.sources, _reader(options, site, client), ruling=ruling),
        forms=Forms(site.canonicalizer, client, options.dry_runs),
        rules=config.rules,
        builtin=builtin,
        secret_key=statedir.secret_key(state_dir),
        snapshots=state_dir / "snapshots",
        state=state,
        client=client,
        discovery=discovery,
        preparing=registrar.preparing,
        published=registrar.published,
        say=say,
        current=last,
        enforce=options.enforce,
    )
    if site.canonicalizer is None:
        say(
            "no identity for dry-runs: objects keep their offline form, so defaults are guarded only as far as Git goes"
        )
    clockwork = Clockwork(reconciler, state_dir, options.scan_seconds)
    clockwork.census = CensusFeed(state_dir / published.FILE, time.time).current
    clockwork.companions += [partial(certificates.watch, changed=registrar.renewed), partial(_tidy, reconciler)]
    telling = _telling(options, client, reconciler)
    clockwork.companions.append(telling.run)
    blind.changed = clockwork.scan_soon
    if client is not None:
        watching = _watching(options, site, client, reconciler, blind)
        registrar.user = watching.who
        clockwork.companions.append(watching.run)
        clockwork.companions.append(_healing(site, client, reconciler).run)
        counting = Counting(client, lambda: reconciler.current, state, say, _now)
        clockwork.companions.append(counting.run)
    if discovery is not None and site.reader is not None:
        inventory = _inventory(site.reader(len(WATCHED)), discovery, reconciler, state_dir / published.FILE)
        ruling.live, ruling.prepare = inventory.live, inventory.prepare
        clockwork.companions.append(inventory.run)
        clockwork.detect(site.reader(DETECT_CONNECTIONS), discovery)
    _follow(options, site, clockwork, config, telling.sink)
    return clockwork


def _follow(
    options: Options, site: Site, clockwork: Clockwork, config: configuration.Configuration, sink: EventSink | None
) -> None:
    """Follow what tells where to look: definitions of other tools, and our own objects."""
    follower = Follower(clockwork, config, say, allow_local=options.allow_local)
    if options.adopt:
        definitions = adopting(follower, options.state_dir)
        definitions.begin(kept_definitions(options.state_dir))
        clockwork.companions.append(definitions.run)
    if site.configured is not None:
        clockwork.companions.append(site.configured.companion(clockwork.reconciler, follower.configure, sink))


def _tidy(found: Reconciler, stop: threading.Event) -> None:
    """A full pass holds all live objects for a moment, and a revision is rendered: their memory goes back.

    Of each new snapshot the collector looks at all once, and not again and again.
    """
    kept = ""
    while not stop.wait(TRIM_SECONDS):
        if found.digest != kept:
            kept = found.digest
            memory.keep()
        memory.trim()


def _reader(options: Options, site: Site, client: ApiClient | None) -> Reader:
    """What reads Git and renders it; Secrets of the cluster where sources are defined there."""
    cache = RenderCache(options.state_dir / "renders")
    files = SecretFiles(options.secrets_dir or options.config_dir / configuration.SECRETS)
    live = client is not None and (options.adopt or site.configured is not None)
    secrets = cluster_secrets(client, files) if client is not None and live else files
    return Reader(options.tools, options.state_dir / "mirrors", options.allow_local, secrets, cache)


def _watching(options: Options, site: Site, client: ApiClient, reconciler: Reconciler, log: StoredBlindLog) -> Watching:
    """Who watches over the guard itself: as an identity of its own, where there is one."""
    return Watching(
        reader=client,
        canary_client=site.canary,
        audit=AuditLog(options.api_audit_log) if options.api_audit_log else None,
        snapshot=lambda: reconciler.current,
        state=reconciler.state,
        log=log,
        say=say,
        now=_now,
        canary_seconds=options.canary_seconds,
        unasked=never_asked,
    )


def _telling(options: Options, client: ApiClient | None, reconciler: Reconciler) -> Telling:
    """Who counts what happens and, where that is wanted, tells it in the cluster."""
    sink = None
    if client is not None and options.events:
        sink = EventSink(client, f"setscrew-{socket.gethostname()}", say)
    telling = Telling(reconciler.state, sink, say, _now)
    reconciler.ledger.listen(telling.told)
    return telling


def _healing(site: Site, client: ApiClient, reconciler: Reconciler) -> Healing:
    """Who puts back what drifts where a policy says so, as it is found: as an identity of its own, if there is one."""
    healer = Healer(site.healer, client) if site.healer is not None else None
    healing = Healing(healer, Desired.of(reconciler), reconciler.state, say, _now)
    reconciler.ledger.listen(healing.told)
    return healing


def _inventory(client: ApiClient, discovery: Discovery, reconciler: Reconciler, path: Path) -> Inventory:
    """Who uses GPU classes, with connections of its own: one a kind stays open."""
    return Inventory(
        client=client,
        discovery=discovery,
        declared=lambda: Declared(reconciler.rules, reconciler.current, reconciler.sources.goods()),
        path=path,
        say=say,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _last(state_dir: Path) -> MemorySnapshot | None:
    """The snapshot that the process before this one has left, or None: it holds until Git could be read."""
    feed = Feed.of(state_dir)
    last = feed.current()
    if last is None:
        if feed.problem:
            say(f"the last snapshot cannot be used, so all is read anew: {feed.problem}")
        return None
    parts = (last.rules, dict(last.sources), last.secret_key, last.digest, last.before())
    return MemorySnapshot(tuple(last.entries()), *parts)


def say(line: str) -> None:
    """One line of talk, on stderr."""
    tell(f"{datetime.now(UTC):%H:%M:%S} reconciler: {line}")
