"""Owns the gathering of all facts of one installation, each as far as it can be learned. Must not judge them.

What goes wrong on the way is a fact that is missing, with the reason. Changes nothing, here or in the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from reconciler.cluster.api import ApiClient
from reconciler.cluster.calls import read_calls
from reconciler.errors import SetscrewError, UsageError, place
from reconciler.snapshot.model import MemorySnapshot
from setscrew.doctor import look_cluster, look_machine
from setscrew.doctor.facts import Document, Facts, Server, Try
from setscrew.doctor.finding import Missing, MissingError, need
from setscrew.doctor.look_server import look_server, look_trust
from setscrew.doctor.registered import called
from webhook.registration.apply import current
from webhook.registration.ownership import is_ours
from webhook.server.feed import Feed
from webhook.tls.given import GivenFiles

T = TypeVar("T")
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Where:
    """Where to look. `kubeconfig` is the reconciler's identity, "" the usual places; `url` "": as registered."""

    state_dir: Path | None = None
    kubeconfig: str = ""
    canary_kubeconfig: str = ""
    url: str = ""
    given: GivenFiles | None = None
    context: str = ""


def gather(where: Where, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Facts:
    """All facts of it. Never raises."""
    directory = learned(lambda: look_machine.existing(where.state_dir))
    client = learned(lambda: look_cluster.reached(where.kubeconfig, where.context))
    run = _of(directory, look_machine.look_run)
    told = {} if isinstance(run, Missing) else run
    url = where.url or str(told.get("admission") or "")
    registration: Document | Missing | None = _of(client, current)
    live = None if isinstance(registration, Missing) else registration
    server = learned(lambda: _server(where.url or called(live) or url))
    feed = _of(directory, Feed.of)
    found = _of(feed, look_machine.look_snapshot)
    snapshot, published = (found, found) if isinstance(found, Missing) else found
    schema = _of(directory, look_machine.look_schema)
    host = urlsplit(url or called(live)).hostname or ""
    return Facts(
        now=now(),
        server=server,
        files=_of(directory, lambda there: look_machine.look_files(there, where.given, host, now())),
        registration=registration,
        trust=learned(lambda: look_trust(_shown(need(server)), _bundles(live), now())),
        tries=learned(lambda: _tries(where, need(client), need(snapshot))),
        calls=_of(client, read_calls),
        skew=_of(client, lambda one: look_cluster.look_skew(one, now)),
        asked=_of(client, look_cluster.look_rights),
        held=_of(client, look_cluster.look_held),
        served=_of(client, look_cluster.look_served),
        snapshot=snapshot,
        published=published,
        schema=schema,
        stored=_of(directory, lambda there: look_machine.look_stored(there, need(schema))),
        running=_of(directory, look_machine.look_running),
        disk=_of(directory, look_machine.look_disk),
        url=url,
        report_only=bool(told) and not told.get("admission"),
        snapshot_problem="" if isinstance(feed, Missing) else feed.problem,
    )


def learned(ask: Callable[[], T]) -> T | Missing:
    """What `ask` returns, or why it could not be learned."""
    try:
        return ask()
    except MissingError as error:
        return error.missing
    except SetscrewError as error:
        return Missing(f"{error.where}: {error.message}" if error.where else error.message, error.hint)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Missing(f"{error.filename}: {why}" if error.filename else why, "check the path and its rights")
    except Exception as error:  # noqa: BLE001 - one look that nobody foresaw must not end the others
        return Missing(f"a look failed: {place(error)}", "report it: a defect of Setscrew")


def _of(fact: F | Missing, ask: Callable[[F], T]) -> T | Missing:
    """What `ask` learns of that fact, if there is one."""
    return fact if isinstance(fact, Missing) else learned(lambda: ask(fact))


def _server(url: str) -> Server:
    if not url:
        raise UsageError("nobody knows where it listens", hint="give --state or --url")
    return look_server(url)


def _shown(server: Server) -> Server:
    return (
        need(Missing("the admission server shows no certificate", "see the check server")) if server.error else server
    )


def _bundles(live: Document | None) -> set[str]:
    ours = [entry for entry in (live or {}).get("webhooks") or [] if is_ours(entry["name"])]
    return {str(entry["clientConfig"].get("caBundle", "")) for entry in ours}


def _tries(where: Where, client: ApiClient, snapshot: MemorySnapshot) -> tuple[Try, ...]:
    if not where.canary_kubeconfig:
        raise UsageError("no identity for the canary was given", hint="give --canary-kubeconfig")
    return look_cluster.look_tries(client, ApiClient.load(where.canary_kubeconfig), snapshot)
