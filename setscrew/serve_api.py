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
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click
from flask import Flask

from reconciler.errors import SetscrewError
from reconciler.limits import API_NICENESS, CALLER_ANSWER_SECONDS, PUSH_BODY_BYTES, PUSH_STORE_SECONDS
from reconciler.model.sockets import RECONCILER_SOCKET
from reconciler.report.links import NO_HOSTS, GitHost
from reconciler.store import (
    namespaces,
)
from reconciler.store.state import State, hurried
from setscrew.api_files import ensure_token, write_address
from setscrew.declared import Declared
from setscrew.git_hosts import load_git_hosts
from setscrew.readers import load_readers, reader_tokens
from setscrew.receivers import ReceiverFiles, load_receivers
from setscrew.store import open_store
from setscrew.stored_state import StoredState
from webhook.api.access import Callers
from webhook.api.app import create_api_app
from webhook.api.configuration import ReceiverSpec
from webhook.api.listener import bind, serve, url_of
from webhook.api.poke import poke
from webhook.api.ports import ApiSettings
from webhook.api.readers import ReaderSpec
from webhook.server import memory


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
    poking = functools.partial(poke, state_dir / RECONCILER_SOCKET)
    app = create_api_app(StoredState(state, Declared.of(state_dir)), settings, poking)
    # A long list makes the collector look at all there is, several times an answer: what is there by now stays.
    memory.keep()
    return app


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
