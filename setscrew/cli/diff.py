"""Owns the command `diff`: desired against the live cluster, without a running instance. Must not write to it."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.errors import UsageError
from reconciler.gpu.users import published
from reconciler.loop.assemble import assemble
from reconciler.loop.forms import Forms
from reconciler.loop.scan import Scope, scan
from reconciler.loop.server_state import read_state
from reconciler.loop.trust import View
from reconciler.model.instant import stamp
from reconciler.render.spec import RenderResult
from reconciler.report.drift import DEFAULT_CLUSTER
from reconciler.report.listing import DriftReport
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.store.schema_data import load_builtin
from setscrew import configuration
from setscrew.cli.common import (
    EXISTING,
    PATH,
    context_option,
    current_snapshot,
    note,
    offline_context,
    output_option,
    render_options,
    rendered,
)
from setscrew.cli.drift_out import print_report
from webhook.server.census import CensusFeed
from webhook.server.feed import SnapshotFile

_KEY = b"diff: both sides are hashed within one call"
_SHOWN = ("drifted", "missing", "extra", "unknown")


@click.command()
@click.argument("path", type=EXISTING, required=False)
@click.option("--source", help="A source of the running instance (its state directory), in place of PATH.")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory, for --source.")
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the cluster.")
@context_option
@click.option("--canonicalizer-kubeconfig", default="", help="Who dry-runs, so that defaults are known exactly.")
@render_options
@output_option("table", "json", "yaml", "diff", default="table")
def diff(
    path: Path | None,
    source: str | None,
    state_dir: Path | None,
    kubeconfig: str,
    kube_context: str,
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
    client = ApiClient.load(kubeconfig, kube_context)
    now = datetime.now(UTC)
    if path is not None:
        result = rendered(path, namespace, value_files, release)
        note(result.notes)
        dry_runs = ApiClient.load(canonicalizer_kubeconfig) if canonicalizer_kubeconfig else None
        snapshot = _of_path(path, result, namespace, client, Forms(dry_runs, client), now)
    else:
        snapshot = _of_source(source or "", current_snapshot(state_dir))
    scope = Scope.of(snapshot, DEFAULT_CLUSTER)
    census = CensusFeed(state_dir / published.FILE, time.time).current() if source and state_dir else None
    items = [item for item in scan(client, scope, now, census=census).items if item.state in _SHOWN]
    shown = tuple(item.as_json() for item in items)
    report = DriftReport(shown, stamp(now), stamp(now), managed=len(snapshot.entries), total=len(shown))
    print_report(report.as_json(), output)
    sys.exit(1 if any(item.state != "unknown" for item in items) else 0)


def _of_path(
    path: Path, result: RenderResult, namespace: str, client: ApiClient, forms: Forms, now: datetime
) -> MemorySnapshot:
    rules = configuration.load(None).rules
    discovery = Discovery(client, load_builtin())
    context = offline_context(rules, result.objects, namespace=namespace, key=_KEY, authorities=(discovery,))
    assembly = assemble([(context, result.objects)], rules)
    note(assembly.problems)
    if forms.client is not None:
        forms.view = View.of(read_state(client, discovery.kinds(), ()), assembly.objects, _KEY)
    declared = assembly.objects.values()
    contexts = {one.rendered.provenance.source: context for one in declared}
    forms.confirm(forms.pending(declared, now.timestamp()), contexts, now.timestamp())
    sources = {name: SourceState(name, str(path), "", "dir") for name in contexts}
    return MemorySnapshot(assembly.entries(forms.confirmed, forms.reasons), assembly.rules, sources, _KEY)


def _of_source(source: str, snapshot: SnapshotFile) -> MemorySnapshot:
    if source not in snapshot.sources:
        known = ", ".join(sorted(snapshot.sources)) or "none"
        raise UsageError(f"no source {source!r}", where="--source", hint=f"there are: {known}")
    entries = tuple(entry for entry in snapshot.entries() if entry.source == source)
    return MemorySnapshot(entries, snapshot.rules, snapshot.sources, snapshot.secret_key, snapshot.digest)
