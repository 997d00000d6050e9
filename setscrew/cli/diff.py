"""Owns the command `diff`: desired against the live cluster, without a running instance. Must not write to it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.engine import Context
from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.errors import UsageError
from reconciler.loop.assemble import Assembly, assemble
from reconciler.loop.forms import Forms
from reconciler.loop.scan import scan
from reconciler.report.drift import DriftItem, DriftReport, stamp
from reconciler.snapshot.model import Entry, SourceState
from setscrew import configuration
from setscrew.cli.common import EXISTING, PATH, note, offline_context, output_option, render_options, rendered
from setscrew.cli.drift import print_report
from webhook.server.feed import Feed

_KEY = b"diff: both sides are hashed within one call"
_SHOWN = ("drifted", "missing", "extra", "unknown")


@click.command()
@click.argument("path", type=EXISTING, required=False)
@click.option("--source", help="A source of the running instance (its state directory), in place of PATH.")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory, for --source.")
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the cluster.")
@click.option("--canonicalizer-kubeconfig", default="", help="Who dry-runs, so that defaults are known exactly.")
@render_options
@output_option("table", "json", "yaml", "diff", default="table")
def diff(
    path: Path | None,
    source: str | None,
    state_dir: Path | None,
    kubeconfig: str,
    canonicalizer_kubeconfig: str,
    namespace: str,
    value_files: tuple[Path, ...],
    release: str,
    output: str,
) -> None:
    r"""Show how the cluster differs from PATH, or from a source of the running instance. Exit status 1: it does.

    Without --canonicalizer-kubeconfig only what PATH declares is compared, and what was added to lists and maps.

    \b
    setscrew diff deploy/prod                      before a push
    setscrew diff --source shop --state ./state    what the instance enforces
    """
    if (path is None) == (source is None):
        raise UsageError("give either PATH or --source")
    client = ApiClient.load(kubeconfig)
    now = datetime.now(UTC)
    if path is not None:
        result = rendered(path, namespace, value_files, release)
        note(result.notes)
        context = offline_context(
            configuration.load(None).rules,
            result.objects,
            namespace=namespace,
            key=_KEY,
            authorities=(Discovery(client),),
        )
        assembly = assemble([(context, result.objects)], context.rules)
        note(assembly.problems)
        forms = Forms(ApiClient.load(canonicalizer_kubeconfig) if canonicalizer_kubeconfig else None, client)
        entries, key = _confirmed(assembly, forms, dict.fromkeys(_names(assembly), context), now), _KEY
        states = {name: SourceState(name, str(path), "", "dir") for name in _names(assembly)}
    else:
        entries, key, states = _of_instance(source or "", state_dir)
    items = [item for item in scan(client, entries, states, key, now) if item.state in _SHOWN]
    print_report(_report(items, len(entries), now), output)
    sys.exit(1 if any(item.state != "unknown" for item in items) else 0)


def _names(assembly: Assembly) -> set[str]:
    return {one.rendered.provenance.source for one in assembly.objects.values()}


def _confirmed(assembly: Assembly, forms: Forms, contexts: dict[str, Context], now: datetime) -> tuple[Entry, ...]:
    pending = forms.pending(assembly.objects.values(), now.timestamp())
    forms.confirm(pending, contexts, now.timestamp())
    return assembly.entries(forms.confirmed, forms.reasons)


def _of_instance(source: str, state_dir: Path | None) -> tuple[tuple[Entry, ...], bytes, dict[str, SourceState]]:
    if state_dir is None:
        raise UsageError("--source needs --state: the state directory of the running instance")
    feed = Feed(state_dir / "snapshots" / "current.json")
    feed.poll()
    snapshot = feed.current()
    if snapshot is None:
        raise UsageError("no snapshot yet", where=str(state_dir), hint=feed.problem or "start `setscrew run` first")
    if source not in snapshot.sources:
        known = ", ".join(sorted(snapshot.sources)) or "none"
        raise UsageError(f"no source {source!r}", where=str(state_dir), hint=f"there are: {known}")
    entries = tuple(entry for entry in snapshot.entries() if entry.object.provenance.source == source)
    return entries, snapshot.secret_key, dict(snapshot.sources)


def _report(items: list[DriftItem], managed: int, now: datetime) -> dict[str, Any]:
    shown = tuple(item.as_json() for item in items)
    return DriftReport(shown, stamp(now), stamp(now), managed=managed, total=len(shown)).as_json()
