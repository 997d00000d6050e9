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
from setscrew.reconcile import Options, names_of
from webhook.settings import AdmissionSettings
from webhook.tls.files import ensure

RUN_FILE: Final = "run.json"
_GRACE_SECONDS: Final = 15.0
_QUICK_DEATH_SECONDS: Final = 5.0
_QUICK_DEATHS: Final = 3


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
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick_deaths: int = 0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL)

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None


@dataclass(slots=True)
class Supervisor:
    """Starts the children and watches them. `run` returns the exit status."""

    children: list[_Child]
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Until a signal, or until a child dies again and again at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            for child in self.children:
                child.start()
            while not self._stop.wait(0.2):
                for child in self.children:
                    if child.died() and not self._restart(child):
                        return 2
        finally:
            self._end()
        return 0

    def _restart(self, child: _Child) -> bool:
        quick = time.monotonic() - child.started < _QUICK_DEATH_SECONDS
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        status = child.process.returncode if child.process else 0
        if child.quick_deaths >= _QUICK_DEATHS or (quick and status in (2, 3, 4, 5)):
            _say(f"{child.name} ended with status {status}: giving up")
            return False
        _say(f"{child.name} ended with status {status}: starting it again")
        child.start()
        return True

    def _end(self) -> None:
        running = [
            child.process for child in self.children if child.process is not None and child.process.poll() is None
        ]
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
    state_dir = statedir.prepare(options.state_dir)
    configuration.load(options.config_dir)
    with statedir.locked(state_dir):
        for what, address in (("admission", listen.admission), ("API", listen.api)):
            _check_free(what, *address)
        statedir.secret_key(state_dir)
        ensure(state_dir / "tls", names_of(options.webhook_url), datetime.now(UTC))
        body = {"admission": options.webhook_url, "api": "http://{}:{}".format(*listen.api), "pid": os.getpid()}
        (state_dir / RUN_FILE).write_text(json.dumps(body) + "\n")
        return Supervisor(_children(options, listen, state_dir)).run()


def _children(options: Options, listen: Listen, state_dir: Path) -> list[_Child]:
    python = [sys.executable, "-m"]
    host, port = listen.admission
    admission = AdmissionSettings.in_directory(state_dir, host=host, port=port, log_level="warning")
    reconcile = [*python, "setscrew", "reconcile", "--state", str(state_dir), "--config", str(options.config_dir)]
    reconcile += ["--helm", str(options.tools.helm), "--kubectl", str(options.tools.kubectl)]
    reconcile += ["--webhook-url", options.webhook_url, "--scan-interval", str(options.scan_seconds)]
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
        _Child("reconciler", reconcile, {}),
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
            raise UsageError(message, where=f"{host}:{port}", hint="choose another address") from error


def _say(line: str) -> None:
    click.echo(f"setscrew: {line}", err=True)
