"""Owns the processes of a chaos run: reconciler, API server and two admission replicas behind a balancer.

`setscrew run` is one machine with one replica; here each part is started as a container would start it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reconciler.errors import ClusterError
from setscrew.demo.repository import install_hook
from setscrew.demo.stage import Stage
from tests.chaos.balancer import Balancer, balancing
from tests.support.admission import free_port
from webhook.parent import ends_with_parent
from webhook.tls.files import ensure

NAMES: Final = ("127.0.0.1", "localhost")
_PATIENCE_SECONDS: Final = 120.0


@dataclass(slots=True)
class Part:
    """One process that can be ended and started again."""

    name: str
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log goes on."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=ends_with_parent(signal.SIGKILL),  # noqa: PLW1509 - started from the main thread
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal and wait for the end."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def workers(self) -> list[int]:
        """Process ids of its children."""
        assert self.process is not None
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(slots=True)
class Parts:
    """Everything that runs. `replicas` are the admission servers, by the port that each listens on."""

    stage: Stage
    balancer: Balancer
    reconciler: Part
    api: Part
    replicas: dict[int, Part] = field(default_factory=dict)

    def all(self) -> list[Part]:
        """Every part."""
        return [self.reconciler, self.api, *self.replicas.values()]

    def tails(self) -> str:
        """The last lines of every log."""
        logs = ((part.name, part.log.read_text(errors="replace").splitlines()[-12:]) for part in self.all())
        return "\n".join(f"{name}: {line}" for name, lines in logs for line in lines)

    def wait_ready(self, *ports: int) -> None:
        """Until these replicas get connections (none named: all)."""
        wanted = set(ports or self.replicas)
        wait(f"replicas {sorted(wanted)}", lambda: wanted <= self.balancer.ready or self._dead())

    def _dead(self) -> bool:
        """Raises ClusterError where a part could not even begin."""
        for part in self.all():
            if part.process is not None and part.process.poll() is not None:
                raise ClusterError(f"the {part.name} ended with status {part.process.returncode}")
        return False

    def wait_unready(self, port: int) -> None:
        """Until a replica gets no new connections."""
        wait(f"replica {port} leaves", lambda: port not in self.balancer.ready)


@contextmanager
def running(stage: Stage) -> Iterator[Parts]:
    """All parts of an installation on `stage`, started and ended; the stage's own `start_setscrew` stays unused."""
    with ExitStack() as stack:
        ports = (free_port(), free_port())
        balancer = stack.enter_context(balancing(*ports))
        state = ("--state", str(stage.state_dir))
        stage.state_dir.mkdir(mode=0o700, exist_ok=True)
        ensure(stage.state_dir / "tls", NAMES, datetime.now(UTC))
        config = str(stage.configured())
        install_hook(stage.repository, stage.hook_url, stage.directory / "hook-secret")
        assert stage.tools is not None
        reconcile = [
            "setscrew",
            "reconcile",
            *state,
            "--config",
            config,
            "--kubeconfig",
            str(stage.account("setscrew-reconciler")),
        ]
        reconcile += ["--canonicalizer-kubeconfig", str(stage.account("setscrew-canonicalizer"))]
        reconcile += ["--helm", str(stage.tools.helm), "--kubectl", str(stage.tools.kubectl)]
        reconcile += ["--webhook-url", f"https://127.0.0.1:{balancer.port}", "--scan-interval", "5"]
        reconcile += ["--allow-local-sources", "--enforce", "--api-audit-log", str(stage.plane.audit_log)]
        api = [
            "setscrew.serve_api",
            *state,
            "--host",
            "127.0.0.1",
            "--port",
            str(stage.api_port),
            "--receivers",
            config,
        ]
        parts = Parts(stage, balancer, _part(stage, "reconciler", reconcile), _part(stage, "api", api))
        for port in ports:
            command = ["setscrew", "serve", *state, "--listen", f"127.0.0.1:{port}"]
            command += ["--listen-metrics", f"127.0.0.1:{free_port()}"]
            parts.replicas[port] = _part(stage, f"admission-{port}", command)
        for part in parts.all():
            stack.callback(part.stop)
            part.start()
        try:
            parts.wait_ready()
            yield parts
        except ClusterError as error:
            raise ClusterError(f"{error.message}\n{parts.tails()}") from error


def wait(what: str, done: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
    """Until `done()` is true. Raises ClusterError after `seconds`."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: did not come within {seconds:.0f} s")
        time.sleep(0.05)


def _part(stage: Stage, name: str, command: Sequence[str]) -> Part:
    return Part(name, command, stage.directory / f"{name}.log")
