"""Owns `setscrew run`: three processes on one machine, started together, ended together, restarted when one dies.

Must not do any of their work.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from reconciler.errors import UsageError
from setscrew import configuration, statedir
from setscrew.api_files import load_receivers
from setscrew.reconcile import Options
from webhook.parent import ends_with_parent
from webhook.registration.client import UrlClient
from webhook.settings import AdmissionSettings
from webhook.tls.files import ensure

RUN_FILE: Final = "run.json"
_GRACE_SECONDS: Final = 15.0
_WATCH_SECONDS: Final = 0.2
_SETTLED_SECONDS: Final = 10.0
_EARLY_DEATHS: Final = 3
_LONGEST_WAIT_SECONDS: Final = 30.0
_TOLD: Final = (2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the two listeners answer."""

    admission: tuple[str, int] = ("127.0.0.1", 8443)
    api: tuple[str, int] = ("127.0.0.1", 8080)


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    once: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    settled: bool = False
    deaths: int = 0
    next_start: float = 0.0

    def start(self) -> None:
        self.started, self.next_start = time.monotonic(), 0.0
        self.process = subprocess.Popen(
            [*self.command, *self.once],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - this process has one thread
        )

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def settle(self) -> None:
        """It has lived long enough to have found all it needs; what kills it later will pass."""
        if self.runs() and time.monotonic() - self.started > _SETTLED_SECONDS:
            self.settled, self.deaths = True, 0
            # Said at the start, and done: what was switched since then must survive a death.
            self.once = ()


@dataclass(slots=True)
class Supervisor:
    """Starts the children and watches them. `run` returns the exit status."""

    children: list[_Child]
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Until a signal (0), or until a child cannot even begin (its own status, which it has explained)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            for child in self.children:
                child.start()
            while not self._stop.wait(_WATCH_SECONDS):
                for child in self.children:
                    if status := self._watch(child):
                        return status
        finally:
            self._end()
        return 0

    def _watch(self, child: _Child) -> int:
        """Start it again when it is dead and its time has come; the exit status if there is no use."""
        child.settle()
        if child.runs() or self._stop.is_set():
            return 0
        if child.next_start:
            if time.monotonic() >= child.next_start:
                child.start()
            return 0
        status = child.process.returncode if child.process else 0
        child.deaths += 1
        if not child.settled and (child.deaths >= _EARLY_DEATHS or status in _TOLD):
            _say(f"the {child.name} ended with status {status}: giving up")
            return status if status in _TOLD else 2
        # One that has worked works again: the guard does not end because a part of it has to wait.
        wait = min(2.0 ** (child.deaths - 1), _LONGEST_WAIT_SECONDS) if child.deaths > 1 else 0.0
        child.next_start = time.monotonic() + wait
        _say(f"the {child.name} ended with status {status}: starting it again" + (f" in {wait:g} s" if wait else ""))
        return 0

    def _end(self) -> None:
        running = [child.process for child in self.children if child.process is not None and child.runs()]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(options: Options, listen: Listen) -> int:
    """Run everything on this machine; returns the exit status. Raises SetscrewError before anything is started."""
    # A directory that was there keeps its mode, and mirrors and snapshots hold what Git holds, Secrets among it.
    os.umask(0o077)
    state_dir = statedir.prepare(options.state_dir)
    configuration.load(options.config_dir)
    load_receivers(options.config_dir)
    with statedir.locked(state_dir):
        for what, address in (("admission", listen.admission), ("API", listen.api)):
            _check_free(what, *address)
        statedir.secret_key(state_dir)
        ensure(state_dir / "tls", UrlClient(options.webhook_url).names, datetime.now(UTC))
        # A person starts this, so it registers once more, whatever was switched off before.
        statedir.forget_registration(state_dir)
        _announce(options, listen, state_dir)
        return Supervisor(_children(options, listen, state_dir)).run()


def _announce(options: Options, listen: Listen, state_dir: Path) -> None:
    api = "http://{}:{}".format(*listen.api)
    statedir.write(state_dir / RUN_FILE, json.dumps({"admission": options.webhook_url, "api": api, "pid": os.getpid()}))
    registered = options.webhook_url or "nowhere registered: it only reports"
    _say(f"guarding from {state_dir}; admission {registered}; report {api} (setscrew drift --state {state_dir})")


def _children(options: Options, listen: Listen, state_dir: Path) -> list[_Child]:
    python = [sys.executable, "-m"]
    host, port = listen.admission
    admission = AdmissionSettings.in_directory(state_dir, host=host, port=port, log_level="warning")
    reconcile = [*python, "setscrew", "reconcile", "--state", str(state_dir), "--config", str(options.config_dir)]
    reconcile += ["--helm", str(options.tools.helm), "--kubectl", str(options.tools.kubectl)]
    reconcile += ["--webhook-url", options.webhook_url, "--scan-interval", str(options.scan_seconds)]
    rate = options.dry_runs
    reconcile += ["--dry-runs-per-second", str(rate.per_second), "--dry-runs-at-once", str(rate.at_once)]
    reconcile += ["--kubeconfig", options.kubeconfig] if options.kubeconfig else []
    reconcile += (
        ["--canonicalizer-kubeconfig", options.canonicalizer_kubeconfig] if options.canonicalizer_kubeconfig else []
    )
    reconcile += ["--allow-local-sources"] if options.allow_local else []
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
    return [
        _Child("admission server", [*python, "webhook.server"], admission.environment()),
        _Child("API server", api, {}),
        _Child("reconciler", reconcile, {}, once=["--enforce"] if options.enforce else []),
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
    click.echo(f"setscrew: {line}", err=True)
