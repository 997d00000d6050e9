"""Owns the two servers that are measured: starts them as processes of their own, ends them whatever happens.

Must not send reviews, but for the one that tells when a server has begun to give right answers.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any, Final

from support.cases import NAME, NAMESPACE, Case
from support.golang import stop
from support.machine import family
from webhook.parent import ends_with_parent
from webhook.settings import AdmissionSettings
from webhook.tls.files import ServingFiles

_READY_SECONDS: Final = 60
_END_SECONDS: Final = 10
_ROWS: Final = ("spec", "template", "spec", "containers", "0", "image")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `started`: seconds from the start of its process to its first right answer."""

    name: str
    pid: int
    port: int
    ca: Path
    started: float

    @property
    def pids(self) -> tuple[int, ...]:
        """All its processes."""
        return family(self.pid)

    def url(self, path: str = "/validate") -> str:
        """Where reviews go."""
        return f"https://127.0.0.1:{self.port}{path}?timeout=3s"


@contextmanager
def setscrew(home: Path, files: ServingFiles, first: Case, workers: int = 2) -> Iterator[Server]:
    """The real admission server over the snapshot of `home`; its records of decisions are read, as in a real run."""
    settings = AdmissionSettings.in_directory(home, port=free_port(), log_level="warning")
    changed = {"SETSCREW_ADMISSION_WORKERS": str(workers), "SETSCREW_DRAIN_SECONDS": "0"}
    environment = {**environ, **settings.environment(), **changed}
    with _listener(settings.decisions_socket):
        yield from _run("setscrew", [sys.executable, "-m", "webhook.server"], environment, settings.port, files, first)


@contextmanager
def golang(program: Path, objects: Path, files: ServingFiles, first: Case) -> Iterator[Server]:
    """The server of bench/go over what `objects_file` wrote."""
    port = free_port()
    options = ("-certificate", str(files.certificate), "-key", str(files.key), "-objects", str(objects))
    yield from _run("go", [str(program), "-listen", f"127.0.0.1:{port}", *options], dict(environ), port, files, first)


def objects_file(path: Path, count: int, more: Sequence[Any] = ()) -> Path:
    """What the Go server holds: one field of each object, for `count` Deployments and the objects of support.big."""
    image = "registry.example.com/shop/part-0:1.4.0"
    with path.open("w") as file:
        for number in range(count):
            name = f"{NAME[:4]}{number:06}"
            _line(file, f"apps/deployments/{NAMESPACE}/{name}", _ROWS, image)
        for one in more:
            group, _, resource = one.resource
            key = f"{group}/{resource}/{NAMESPACE}/{one.declared['metadata']['name']}"
            _line(file, key, tuple(map(str, one.path)), one.value)
    return path


def _line(file: Any, key: str, path: Sequence[str], value: str) -> None:
    file.write(json.dumps({"key": key, "path": path, "value": value}) + "\n")


def _run(
    name: str, command: list[str], environment: dict[str, str], port: int, files: ServingFiles, first: Case
) -> Iterator[Server]:
    ca = files.certificate.parent / "ca-bundle.crt"
    log = files.certificate.parent / f"{name}-{port}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=ends_with_parent(signal.SIGKILL),  # noqa: PLW1509 - started from the main thread
        )
    try:
        _wait(process, port, ca, first, log)
        server = Server(name, process.pid, port, ca, time.monotonic() - began)
        _all_ready(server)
        yield server
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], port: int, ca: Path, first: Case, log: Path) -> None:
    """Until the server answers `first` rightly; a wrong answer ends the run."""
    context = ssl.create_default_context(cafile=str(ca))
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            status, answer = _ask(port, context, first.body)
            if status == 200:
                if f'"allowed":{str(first.allowed).lower()}' not in answer:
                    stop(f"{first.name}: a wrong answer: {answer[:300]}")
                return
        time.sleep(0.005)
    stop(f"the server did not answer within {_READY_SECONDS} s: {log.read_text()[-500:]}")


def _ask(port: int, context: ssl.SSLContext, body: bytes) -> tuple[int, str]:
    with closing(http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)) as connection:
        connection.request("POST", "/validate?timeout=3s", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()


def _all_ready(server: Server) -> None:
    """Until each of several workers has a snapshot: a new connection goes to any of them."""
    context = ssl.create_default_context(cafile=str(server.ca))
    end, row = time.monotonic() + _READY_SECONDS, 0
    while row < 20 and time.monotonic() < end:
        with closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)) as connection:
            connection.request("GET", "/readyz")
            row = row + 1 if connection.getresponse().status == 200 else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _listener(path: Path) -> Iterator[None]:
    """Reads records as the reconciler would, so that none is lost and none is queued."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        threading.Thread(target=_drain, args=(channel,), daemon=True).start()
        yield


def _drain(channel: socket.socket) -> None:
    with suppress(OSError):
        while True:
            channel.recv(65536)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
