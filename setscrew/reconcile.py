"""Owns the reconciler process: clients, sources and registration put together. `setscrew reconcile` runs it.

Must not decide or compare: it only wires `reconciler.loop` to `webhook.registration`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.pace import DEFAULT, Rate
from reconciler.errors import ClusterError
from reconciler.loop.forms import Forms
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.serve import Clockwork
from reconciler.loop.sources import Sources
from reconciler.render.spec import RenderTools
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.schema_data import load_builtin
from setscrew import configuration, grants, statedir
from setscrew.store import open_store
from webhook.decision.identity import CANONICALIZER
from webhook.registration.apply import register, registered_now
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.server.feed import Feed
from webhook.tls.files import ensure


@dataclass(frozen=True, slots=True)
class Options:
    """What `setscrew run` and `setscrew reconcile` are told. `webhook_url` "": nothing is registered.

    `enforce`: sources that are new or watched are enforced from the start, whatever differs.
    """

    state_dir: Path
    config_dir: Path
    tools: RenderTools
    kubeconfig: str = ""
    canonicalizer_kubeconfig: str = ""
    webhook_url: str = ""
    allow_local: bool = False
    scan_seconds: float = 30.0
    dry_runs: Rate = DEFAULT
    enforce: bool = False


def run(options: Options) -> None:
    """Reconcile until SIGTERM or SIGINT. Raises SetscrewError for what cannot work at all."""
    clockwork = make(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: clockwork.stop())
    clockwork.run()


def make(options: Options) -> Clockwork:
    """The clockwork of one installation, wired but not started."""
    state_dir = statedir.prepare(options.state_dir)
    config = configuration.load(options.config_dir)
    client = ApiClient.load(options.kubeconfig) if options.kubeconfig else None
    dry_runs = ApiClient.load(options.canonicalizer_kubeconfig) if options.canonicalizer_kubeconfig else None
    builtin = load_builtin()
    state = open_store(state_dir)
    grants.take_configured(state, state_dir, config.grants, config.rules.grants, datetime.now(UTC).timestamp(), say)
    reconciler = Reconciler(
        sources=Sources(config.sources, options.tools, state_dir / "mirrors", allow_local=options.allow_local),
        forms=Forms(dry_runs, client, options.dry_runs),
        rules=config.rules,
        builtin=builtin,
        secret_key=statedir.secret_key(state_dir),
        snapshots=state_dir / "snapshots",
        state=state,
        client=client,
        discovery=Discovery(client, builtin) if client is not None else None,
        published=_registrar(options, state_dir, client),
        say=say,
        current=_last(state_dir),
        enforce=options.enforce,
    )
    if dry_runs is None:
        say(
            "no identity for dry-runs: objects keep their offline form, so defaults are guarded only as far as Git goes"
        )
    git_seconds = min((source.interval for source in config.sources), default=300)
    return Clockwork(reconciler, state_dir, options.scan_seconds, git_seconds)


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


def _registrar(options: Options, state_dir: Path, client: ApiClient | None) -> Callable[[MemorySnapshot], None]:
    """Keeps the ValidatingWebhookConfiguration as the snapshot needs it, and the certificate fresh.

    Written once a run; what somebody removes later stays away, or the off-switch would switch itself on again.
    """
    off = False

    def registered(snapshot: MemorySnapshot) -> None:
        nonlocal off
        if client is None or not options.webhook_url:
            return
        certificate = ensure(state_dir / "tls", UrlClient(options.webhook_url).names, datetime.now(UTC))
        guarded = [(entry.object.kind, entry.policy) for entry in snapshot.entries]
        wanted = build(guarded, UrlClient(options.webhook_url), certificate.ca_bundle, CANONICALIZER)
        try:
            if statedir.registered_before(state_dir) and not registered_now(client):
                if not off:
                    say("the registration has been removed: nothing is refused until `setscrew register` puts it back")
                off = True
                return
            outcome = register(client, wanted)
        except ClusterError as error:
            say(f"registration failed: {error}")
        else:
            off = False
            statedir.note_registration(state_dir)
            if outcome != "unchanged":
                say(f"registration {outcome}: {len(wanted['webhooks'])} entries")

    return registered


def say(line: str) -> None:
    """One line of talk, on stderr."""
    click.echo(f"{datetime.now(UTC):%H:%M:%S} reconciler: {line}", err=True)
