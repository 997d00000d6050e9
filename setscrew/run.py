"""Owns `setscrew run`: three processes on one machine, started together, ended together, restarted when one dies.

Must not do any of their work.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from reconciler.model.sockets import RECONCILER_SOCKET
from setscrew import configuration, statedir
from setscrew.certificates import Certificates, Clients, arguments, served, tried
from setscrew.options import Options
from setscrew.readers import load_readers
from setscrew.readiness import answers, listens
from setscrew.receivers import load_receivers
from setscrew.supervisor import Child, Supervisor
from setscrew.talk import tell
from webhook.settings import AdmissionSettings
from webhook.tls.files import BUNDLE
from webhook.tls.given import REMEMBERED

# There is no other replica to send anybody to, so only what is under way is waited for.
_DRAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the listeners answer, and how the admission server works. `metrics` None: there are none.

    `api_token`: a file whose token counts in place of the state directory's, as long as it is there. `account`: where
    the token of a pod's service account is mounted, by which the cluster is asked who else may read.
    """

    admission: tuple[str, int] = ("127.0.0.1", 8443)
    api: tuple[str, int] = ("127.0.0.1", 8080)
    metrics: tuple[str, int] | None = ("127.0.0.1", 8444)
    worker: str = "asgi"
    clients: Clients = field(default_factory=Clients)
    metric_namespaces: bool = True
    api_token: Path | None = None
    account: Path | None = None


def run(options: Options, listen: Listen) -> int:
    """Run everything on this machine; returns the exit status. Raises SetscrewError before anything is started."""
    # A directory that was there keeps its mode, and mirrors and snapshots hold what Git holds, Secrets among it.
    os.umask(0o077)
    state_dir = statedir.prepare(options.state_dir)
    configuration.load(options.config_dir)
    load_receivers(options.config_dir)
    load_readers(options.config_dir)
    with statedir.locked(state_dir):
        for what, address in (("admission", listen.admission), ("API", listen.api), ("metrics", listen.metrics)):
            if address:
                _check_free(what, *address)
        statedir.secret_key(state_dir)
        Certificates(state_dir, options.webhook_url, _say, options.given).begin()
        _announce(options, listen, state_dir)
        return Supervisor(_children(options, listen, state_dir)).run()


def _announce(options: Options, listen: Listen, state_dir: Path) -> None:
    api = "http://{}:{}".format(*listen.api)
    told = {"admission": options.webhook_url, "api": api, "pid": os.getpid()}
    statedir.write(state_dir / statedir.RUN_FILE, json.dumps(told))
    registered = options.webhook_url or "nowhere registered: it only reports"
    _say(f"guarding from {state_dir}; admission {registered}; report {api} (setscrew drift --state {state_dir})")


def _children(options: Options, listen: Listen, state_dir: Path) -> list[Child]:
    python = [sys.executable, "-m"]
    host, port = listen.admission
    admission = replace(
        AdmissionSettings.in_directory(
            state_dir, host=host, port=port, metrics=listen.metrics, worker=listen.worker, log_level="warning"
        ),
        drain_seconds=_DRAIN_SECONDS,
    )
    given = options.given
    certificate, key, trusted = (given.certificate, given.key, REMEMBERED) if given else (None, None, BUNDLE)
    admission = tried(served(admission, certificate, key, listen.clients), options.webhook_url, trusted)
    reconcile = [*python, "setscrew", "reconcile", "--state", str(state_dir), "--config", str(options.config_dir)]
    reconcile += ["--helm", str(options.tools.helm), "--kubectl", str(options.tools.kubectl)]
    reconcile += ["--webhook-url", options.webhook_url, "--scan-interval", str(options.scan_seconds)]
    rate = options.dry_runs
    reconcile += ["--dry-runs-per-second", str(rate.per_second), "--dry-runs-at-once", str(rate.at_once)]
    reconcile += ["--kubeconfig", options.kubeconfig] if options.kubeconfig else []
    reconcile += (
        ["--canonicalizer-kubeconfig", options.canonicalizer_kubeconfig] if options.canonicalizer_kubeconfig else []
    )
    reconcile += ["--canary-kubeconfig", options.canary_kubeconfig] if options.canary_kubeconfig else []
    reconcile += ["--canary-interval", str(options.canary_seconds)]
    reconcile += ["--healer-kubeconfig", options.healer_kubeconfig] if options.healer_kubeconfig else []
    reconcile += ["--api-audit-log", str(options.api_audit_log)] if options.api_audit_log else []
    reconcile += arguments(options.given)
    reconcile += ["--adopt"] if options.adopt else []
    reconcile += ["--secrets", str(options.secrets_dir)] if options.secrets_dir else []
    reconcile += ["--allow-local-sources"] if options.allow_local else []
    reconcile += ["--events"] if options.events else []
    api = [
        *python,
        "setscrew.serve_api",
        "--state",
        str(state_dir),
        "--host",
        listen.api[0],
        "--port",
        str(listen.api[1]),
    ]
    api += ["--receivers", str(options.config_dir), "--log-level", "warning"]
    api += [] if listen.metric_namespaces else ["--no-metric-namespaces"]
    return [
        Child(
            "admission server",
            [*python, "webhook.server"],
            admission.environment(),
            partial(answers, *listen.admission, tls=True),
        ),
        Child("API server", api, {}, partial(answers, *listen.api, tls=False), needed=False),
        Child(
            "reconciler",
            reconcile,
            {},
            partial(listens, state_dir / RECONCILER_SOCKET),
            once=["--enforce"] if options.enforce else [],
            # With a last snapshot the guard works: the API server, a disk or Git may come back later than this machine.
            needed=not admission.pointer.exists(),
        ),
    ]


def _check_free(what: str, host: str, port: int) -> None:
    """A taken port is told before anything is started; the servers would find it too, each in its own log."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"the {what} server cannot listen there: {error.strerror}"
            hint = "choose another address"
            raise UsageError(message, where=f"{host}:{port}", hint=hint, code="SS1002") from error


def _say(line: str) -> None:
    tell(f"setscrew: {line}")
