"""How long the admission server takes: the real one, TLS on loopback, one kept-alive connection, one review at a time.

    python bench/admission.py                     a few seconds
    python bench/admission.py --objects 10000 --requests 5000

What is timed is what the API server would wait for: from the first byte sent to the last byte read, the client's own
work (Python's http.client) included. The line `floor` is `/healthz` over the same connection: TLS, HTTP and client
alone. Cases take turns, so that a busy moment hits all of them. Asserts answers, never times.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from os import environ
from pathlib import Path

import click
from support.cases import Case, cases, object_bytes, state_directory

from webhook.settings import AdmissionSettings
from webhook.tls.files import ServingFiles, ensure

_READY_SECONDS = 60
_TURN = 25
_JSON = {"Content-Type": "application/json"}
_FLOOR = Case("floor", b"", "")


@click.command()
@click.option("--objects", default=1_000, show_default=True, help="Objects in the snapshot.")
@click.option("--requests", default=500, show_default=True, help="Requests of each case.")
def main(objects: int, requests: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        home = state_directory(Path(directory), objects)
        with _server(home) as connection:
            _table(connection, objects, requests)


def _table(connection: http.client.HTTPSConnection, objects: int, requests: int) -> None:
    chosen = (_FLOOR, *cases())
    times: dict[str, list[float]] = {case.name: [] for case in chosen}
    for case in chosen[1:]:
        _check(connection, case)
    for _ in range(max(1, requests // _TURN)):
        for case in chosen:
            times[case.name] += [_ask(connection, case)[0] for _ in range(_TURN)]
    size = f"object {object_bytes() / 1024:.1f} KiB, snapshot of {objects} objects"
    print(f"the admission server, TLS on loopback, one connection: {size}")
    print(f"{'case':<10} {'review':>9} {'p50':>9} {'p99':>9} {'most':>9} {'requests':>9}")
    for case in chosen:
        found = sorted(times[case.name])
        p50, p99 = (found[min(len(found) - 1, len(found) * part // 100)] for part in (50, 99))
        size = f"{len(case.body) / 1024:.1f} KiB"
        print(f"{case.name:<10} {size:>9} {p50:>6.2f} ms {p99:>6.2f} ms {found[-1]:>6.2f} ms {len(found):>9}")


def _check(connection: http.client.HTTPSConnection, case: Case) -> None:
    _, body = _ask(connection, case)
    allowed = json.loads(body)["response"]["allowed"]
    if allowed is not (case.name != "deny"):
        raise SystemExit(f"{case.name}: allowed is {allowed}: {body[:500]!r}")


def _ask(connection: http.client.HTTPSConnection, case: Case) -> tuple[float, bytes]:
    """Milliseconds, and the body of the answer."""
    began = time.perf_counter()
    if case.body:
        connection.request("POST", "/validate/apps/v1?timeout=3s", case.body, _JSON)
    else:
        connection.request("GET", "/healthz")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{case.name}: status {response.status}: {body[:500]!r}")
    return (time.perf_counter() - began) * 1e3, body


@contextmanager
def _server(home: Path) -> Iterator[http.client.HTTPSConnection]:
    files = ensure(home / "tls", ("127.0.0.1", "localhost"), datetime.now(UTC))
    settings = AdmissionSettings.in_directory(home, port=_free_port(), log_level="warning")
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "webhook.server"],
            env={**environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with closing(_connected(process, settings, files)) as connection:
            yield connection
    finally:
        process.terminate()
        process.wait(30)


def _connected(
    process: subprocess.Popen[bytes], settings: AdmissionSettings, files: ServingFiles
) -> http.client.HTTPSConnection:
    """A connection that is ready to be timed. Workers start at different times, so readiness is asked on it."""
    context = ssl.create_default_context(cadata=files.ca_bundle.decode())
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPSConnection(settings.host, settings.port, context=context, timeout=10)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                return connection
        except OSError:
            pass
        connection.close()
        time.sleep(0.1)
    raise SystemExit((settings.state_dir / "server.log").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
