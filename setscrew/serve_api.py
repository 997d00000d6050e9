"""Owns the API server's process: state store, token, receivers and the reconciler's socket put together.

`python -m setscrew.serve_api --state DIR` serves until a signal ends it. `setscrew run` starts it so.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import click
from flask import Flask

from reconciler.errors import SetscrewError
from reconciler.limits import API_NICENESS, CALLER_ANSWER_SECONDS, PUSH_BODY_BYTES, PUSH_STORE_SECONDS
from reconciler.model.ref import ObjectRef
from reconciler.model.sockets import RECONCILER_SOCKET
from reconciler.policy.grant import Grant
from reconciler.report.days import Day
from reconciler.report.links import NO_HOSTS, GitHost
from reconciler.report.moment import Moments
from reconciler.report.query import Matching, Query
from reconciler.report.resource import Wanted
from reconciler.report.unmanaged import Unmanaged
from reconciler.store import (
    blind,
    days,
    decisions,
    deliveries,
    findings,
    grants,
    guarded,
    history,
    in_sync,
    moments,
    namespaces,
    over,
    sources,
    totals,
    unmanaged,
    version,
)
from reconciler.store import query as queries
from reconciler.store.blind import REGISTERED
from reconciler.store.state import State, hurried
from reconciler.store.watched import read_watch
from setscrew.api_files import ensure_token, write_address
from setscrew.declared import NOTHING_PUBLISHED, Declared
from setscrew.git_hosts import load_git_hosts
from setscrew.readers import load_readers, reader_tokens
from setscrew.receivers import ReceiverFiles, load_receivers
from setscrew.store import open_store
from webhook.api.access import Callers
from webhook.api.app import create_api_app
from webhook.api.configuration import ReceiverSpec
from webhook.api.listener import bind, serve, url_of
from webhook.api.poke import poke
from webhook.api.ports import ApiSettings, Blindness, Measures, Observed
from webhook.api.readers import ReaderSpec


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state store as `webhook.api.ports.ApiState` asks for it, and beside it what Git declares, where that is."""

    state: State
    declared: Declared | None = None

    def findings(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
        """See ApiState."""
        return findings.read_findings(self.state, filters, limit)

    def namespaces(self) -> dict[str, dict[str, str]]:
        """See ApiState."""
        return namespaces.read_namespaces(self.state)

    def finding(self, identity: str) -> dict[str, Any] | None:
        """See ApiState."""
        return findings.read_finding(self.state, identity)

    def matching(self, query: Query) -> Matching:
        """See ApiState."""
        labels = namespaces.read_namespaces(self.state) if query.labels else {}
        return queries.read_matching(self.state, query, labels)

    def in_sync(self, query: Query) -> Matching:
        """See ApiState."""
        return in_sync.read_in_sync(self.state, query, namespaces.read_namespaces(self.state) if query.labels else {})

    def denials(self, since: str, scope: frozenset[str] | None = None) -> list[tuple[str, str, str, int]]:
        """See ApiState."""
        return queries.count_denials(self.state, since, scope)

    def counts(self) -> list[tuple[str, str, str, str, int]]:
        """See ApiState."""
        return findings.count_findings(self.state)

    def measures(self, now: datetime) -> Measures:
        """See ApiState."""
        found = tuple(totals.count_by_labels(self.state))
        return Measures(found, totals.read_totals(self.state), totals.grants_in_force(self.state, now.timestamp()))

    def observed(self) -> Observed:
        """See ApiState."""
        last, watch = findings.last_pass(self.state), read_watch(self.state)
        about = (last.hidden, last.expired, last.problems, watch.current_at, watch.unwatched)
        return Observed(last.observed_at, last.snapshot, last.managed, *about)

    def sources(self) -> list[dict[str, Any]]:
        """See ApiState."""
        return sources.read_sources(self.state)

    def decisions(self, filters: Mapping[str, str], limit: int, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """See ApiState."""
        return decisions.read_decisions(self.state, filters, limit, offset=offset)

    def guarded(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int]:
        """See ApiState."""
        return guarded.read_guarded(self.state, filters, limit)

    def blindness(self, limit: int) -> Blindness:
        """See ApiState."""
        spans, total = blind.read_blind(self.state, limit)
        slipped, slipped_total = blind.read_slipped(self.state, limit)
        return Blindness(tuple(spans), total, tuple(slipped), slipped_total, blind.read_watches(self.state))

    def history(self, identity: str) -> list[dict[str, Any]]:
        """See ApiState."""
        return history.read_history(self.state, identity)

    def over(self, identity: str) -> dict[str, Any] | None:
        """See ApiState."""
        return over.read_over(self.state, identity)

    def fights(self, since: str, limit: int) -> list[dict[str, Any]]:
        """See ApiState."""
        return over.read_fights(self.state, since, limit)

    def days(self, until: str, scope: frozenset[str] | None = None) -> list[Day]:
        """See ApiState."""
        return days.read_days(self.state, until, scope=scope)

    def days_by_namespace(self, until: str, scope: frozenset[str] | None = None) -> dict[str, list[Day]]:
        """See ApiState."""
        return days.read_days_by_namespace(self.state, until, scope=scope)

    def unmanaged(self) -> Unmanaged:
        """See ApiState."""
        return unmanaged.read_unmanaged(self.state)

    def wanted(self, ref: ObjectRef) -> Wanted:
        """See ApiState."""
        return self.declared.find(ref) if self.declared is not None else NOTHING_PUBLISHED

    def kubernetes(self) -> str:
        """See ApiState."""
        return version.read_version(self.state)

    def epoch(self) -> str:
        """See ApiState."""
        return moments.read_epoch(self.state)

    def moments(self, after: int, limit: int) -> Moments:
        """See ApiState."""
        return moments.read_moments(self.state, after, limit)

    def grants(self) -> list[Grant]:
        """See ApiState."""
        return grants.read_grants(self.state)

    def registration(self) -> dict[str, Any]:
        """See ApiState."""
        return blind.read_watch(self.state, REGISTERED)

    def seen(self, receiver: str, delivery: str) -> bool:
        """See ApiState."""
        return deliveries.seen_delivery(self.state, receiver, delivery)

    def note(self, receiver: str, delivery: str, result: str, now: datetime) -> None:
        """See ApiState."""
        deliveries.note_delivery(self.state, receiver, delivery, result, now)


def make_app(
    state_dir: Path,
    token: bytes,
    specs: tuple[ReceiverSpec, ...] = (),
    cluster: str = "default",
    *,
    readers: tuple[ReaderSpec, ...] = (),
    account: Path | None = None,
    git_hosts: Mapping[str, GitHost] = NO_HOSTS,
    metric_namespaces: bool = True,
) -> Flask:
    """The app over a state directory; opens the store, so call it after a fork.

    `account`: where the token of a pod's service account is mounted, by which the cluster is asked who may read. Raises
    StoreError, UsageError, ClusterError.
    """
    # A push is answered within a second, whoever is writing; reading waits for nobody.
    state = hurried(open_store(state_dir, cluster), PUSH_STORE_SECONDS)
    tokens = reader_tokens(readers)
    settings = ApiSettings(
        token=token,
        readers=lambda: tokens,
        callers=_callers(account, state) if account is not None else None,
        version=metadata.version("setscrew"),
        now=lambda: datetime.now(UTC),
        receivers=ReceiverFiles(specs),
        cluster=cluster,
        push_body_bytes=max((spec.body_bytes for spec in specs), default=PUSH_BODY_BYTES),
        metric_namespaces=metric_namespaces,
        git_hosts=git_hosts,
    )
    return create_api_app(
        StoredState(state, Declared.of(state_dir)), settings, functools.partial(poke, state_dir / RECONCILER_SOCKET)
    )


def _callers(account: Path, state: State) -> Callers:
    # Only in a cluster: on one machine this process needs no client of the API server.
    from reconciler.cluster.pod import PodIdentity
    from setscrew.incluster.callers import Callers as Asking

    client = PodIdentity.mounted(os.environ, account).client(seconds=CALLER_ANSWER_SECONDS)
    return Asking(client, lambda: namespaces.read_namespaces(state).keys(), time.monotonic).may


def run(
    state_dir: Path,
    host: str,
    port: int,
    receivers_path: Path | None = None,
    log_level: str = "info",
    *,
    metric_namespaces: bool = True,
    account: Path | None = None,
) -> None:
    """Serve until a signal ends it; raises SystemExit then, SetscrewError at once for what cannot work."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    receivers, readers = load_receivers(receivers_path), load_readers(receivers_path)
    git_hosts = load_git_hosts(receivers_path)
    listener = bind(host, port)
    token = ensure_token(state_dir)
    # Opened once here, so that a damaged store is one clear line and not a worker that dies again and again.
    open_store(state_dir).close()
    write_address(state_dir, url_of(listener))
    os.nice(API_NICENESS)
    make = functools.partial(make_app, state_dir, token, receivers, readers=readers, git_hosts=git_hosts)
    made = functools.partial(make, metric_namespaces=metric_namespaces, account=account)
    serve(listener, made, log_level=log_level)


@click.command()
@click.option("--state", "state_dir", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0: any free port.")
@click.option(
    "--receivers",
    type=click.Path(path_type=Path, exists=True),
    help="Receiver, Reader and GitHost documents: YAML or directory.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.option("--metric-namespaces/--no-metric-namespaces", default=True, help="Metrics of findings name namespaces.")
@click.option(
    "--service-account",
    "account",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the token of a pod is mounted: who else may read is asked of the API server.",
)
def main(
    state_dir: Path,
    host: str,
    port: int,
    receivers: Path | None,
    log_level: str,
    metric_namespaces: bool,
    account: Path | None,
) -> None:
    """Serve the drift report and the receivers of one state directory."""
    try:
        run(state_dir, host, port, receivers, log_level, metric_namespaces=metric_namespaces, account=account)
    except SetscrewError as error:
        click.echo(f"setscrew: {error}", err=True)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
