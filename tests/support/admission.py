"""Owns starting and asking a real admission server in tests: gunicorn over TLS, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webhook.settings import AdmissionSettings
from webhook.tls.files import ServingFiles, ensure

NAMES = ("127.0.0.1", "localhost")
ROOT = Path(__file__).parents[2]
STUB = (
    "from webhook.server.main import settings_of_process\n"
    "from webhook.server.serve import run\n"
    "run(settings_of_process(), 'tests.support.stub_admission:application')\n"
)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """One server with its process, its certificates and the file of its log."""

    process: subprocess.Popen[bytes]
    settings: AdmissionSettings
    files: ServingFiles
    log: Path
    seen: Path
    opened: list[http.client.HTTPSConnection] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{self.settings.host}:{self.settings.port}"

    def connect(self, timeout: float = 10) -> http.client.HTTPSConnection:
        """A connection that trusts the server's authority and nothing else; closed with the server."""
        context = ssl.create_default_context(cadata=self.files.ca_bundle.decode())
        connection = http.client.HTTPSConnection("127.0.0.1", self.settings.port, context=context, timeout=timeout)
        self.opened.append(connection)
        return connection

    def post(self, review: Any, path: str = "/validate") -> tuple[int, Any]:
        """Status and decoded JSON."""
        with closing(self.connect()) as connection:
            return exchange(connection, review, path)

    def text(self, path: str) -> tuple[int, str]:
        """Status and body of a GET over a connection of its own."""
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def requests(self) -> list[list[str]]:
        """Operation, resource, subresource and name of each review that arrived."""
        return [json.loads(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []


def exchange(connection: http.client.HTTPSConnection, review: Any, path: str = "/validate") -> tuple[int, Any]:
    """One POST over a connection that stays open."""
    body = review if isinstance(review, bytes) else json.dumps(review).encode()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def admission_server(
    directory: Path,
    code: str = STUB,
    environment: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
    wait: bool = True,
    port: int = 0,
) -> Iterator[RunningServer]:
    """Start one in `directory` and wait until it answers; it is ended however the test ends."""
    files = ensure(directory / "tls", NAMES, datetime.now(UTC))
    settings = AdmissionSettings.in_directory(directory, port=port or free_port(), metrics=("127.0.0.1", free_port()))
    settings.pointer.parent.mkdir(exist_ok=True)
    if ready:
        settings.pointer.touch()
    log, seen = directory / "server.log", directory / "seen.jsonl"
    chosen = {**os.environ, **settings.environment(), "STUB_LOG": str(seen), **(environment or {})}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", code], env=chosen, cwd=ROOT, stdout=out, stderr=out)
    server = RunningServer(process, settings, files, log, seen)
    try:
        if wait:
            _wait(server)
        yield server
    finally:
        for connection in server.opened:
            connection.close()
        process.kill()
        process.wait()


def _wait(server: RunningServer) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and server.process.poll() is None:
        try:
            with closing(server.connect()) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(server.log.read_text())


def a_review(uid: str = "u1", verdict: str = "allow", **request: Any) -> dict[str, Any]:
    """An UPDATE of Deployment shop/web; `verdict` is the stub's label."""
    body = {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7", "labels": {"verdict": verdict}}}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "operation": "UPDATE",
            "userInfo": {"username": "alice"},
            "namespace": "shop",
            "name": "web",
            "object": body,
            "oldObject": dict(body),
            **request,
        },
    }
