"""Holds certificates of the admission server as it runs: changed under load, ended and renewed, shown by clients."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from setscrew.controlplane.certificates import Authority
from tests.support.admission import NAMES, RunningServer, a_review, admission_server, exchange
from tests.support.waiting import eventually
from webhook.settings import WORKERS
from webhook.tls import disk
from webhook.tls.authority import issue, read_pair
from webhook.tls.disk import SECRET, Content
from webhook.tls.lifetime import Lives

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MAIN = "import sys; from webhook.server.__main__ import main; sys.exit(main())"


def worker(kind: str) -> dict[str, str]:
    return {"SETSCREW_ADMISSION_WORKER": kind}


def serve(directory: Path, lives: Lives) -> None:
    """Another serving certificate of the same authority."""
    tls = directory / "tls"
    authority = read_pair((tls / "ca.crt").read_bytes(), (tls / "ca.key").read_bytes())
    assert authority
    pair = issue(authority, NAMES, datetime.now(UTC), lives)
    files = {tls / "tls.key": Content(pair.key_pem, SECRET), tls / "tls.crt": Content(pair.certificate_pem)}
    disk.write(files)


def shown(server: RunningServer) -> int:
    """Serial number of the certificate that a new connection is shown, accepted or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.settings.port), 10) as plain,
        context.wrap_socket(plain) as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    assert der
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    pair = read_pair(pem, (server.settings.state_dir / "tls" / "tls.key").read_bytes())
    return pair.certificate.serial_number if pair else 0


@dataclass(slots=True)
class Load:
    """Clients that ask without a pause, over kept and over fresh connections, until told to stop."""

    server: RunningServer
    done: threading.Event = field(default_factory=threading.Event)
    answered: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for kept in (True, True, False, False):
            thread = threading.Thread(target=self._ask, args=(kept,))
            thread.start()
            self.threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, kept: bool) -> None:
        connection = self._connect()
        while not self.done.is_set():
            try:
                self.answered.append(exchange(connection, a_review())[0])
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
            if not kept:
                connection.close()
                connection = self._connect()
        connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=self.server.files.ca_bundle.decode())
        return http.client.HTTPSConnection("127.0.0.1", self.server.settings.port, context=context, timeout=10)


@pytest.mark.parametrize("kind", WORKERS)
def test_line_20_certificates_change_under_load_and_no_call_fails(tmp_path: Path, kind: str) -> None:
    with admission_server(tmp_path, environment=worker(kind)) as server, Load(server) as load:
        for _ in range(3):
            before = shown(server)
            serve(tmp_path, Lives())
            eventually(lambda before=before: shown(server) not in {before, 0}, "the new one is shown")  # type: ignore[misc] # bound
        count = len(load.answered)
        eventually(lambda: len(load.answered) > count + 50, "the load goes on")
    assert load.failed == []
    assert set(load.answered) == {200}


def test_line_22_a_certificate_that_has_ended_makes_it_unready_until_it_is_renewed(tmp_path: Path) -> None:
    def status(path: str) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", server.settings.port, context=context, timeout=10)
        with closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def trusted() -> bool:
        try:
            return all(server.post(a_review())[0] == 200 for _ in range(10))
        except ssl.SSLCertVerificationError:
            return False

    with admission_server(tmp_path) as server:
        assert status("/readyz") == 200
        serve(tmp_path, Lives(serving=timedelta(seconds=12)))
        assert eventually(lambda: status("/readyz") == 503, "it is not ready")
        assert status("/healthz") == 200
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            server.post(a_review())
        serve(tmp_path, Lives())
        assert eventually(lambda: status("/readyz") == 200, "it is ready again")
        assert eventually(trusted, "every worker has the new one")


def test_plain_http_is_not_answered(tmp_path: Path) -> None:
    with (
        admission_server(tmp_path) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.settings.port, timeout=10)) as plain,
    ):
        plain.request("GET", "/healthz")
        with pytest.raises((OSError, http.client.HTTPException)):
            plain.getresponse()


@dataclass(slots=True)
class Clients:
    """An authority of clients, its file, and the certificates that it signs."""

    directory: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.renew()

    @property
    def file(self) -> Path:
        return self.directory / "clients.crt"

    def renew(self) -> None:
        self.authority = Authority.create(f"clients {next(self.numbers)}", datetime.now(UTC))
        disk.write({self.file: Content(self.authority.pair.certificate)})

    def environment(self, *names: str) -> dict[str, str]:
        return {"SETSCREW_CLIENT_CA": str(self.file), "SETSCREW_CLIENT_NAMES": ",".join(names)}

    def connect(self, server: RunningServer, name: str) -> http.client.HTTPSConnection:
        """A connection that shows a certificate of `name`; "" shows none."""
        context = ssl.create_default_context(cadata=server.files.ca_bundle.decode())
        if name:
            pair = self.authority.client(name, (), datetime.now(UTC))
            file = self.directory / f"{next(self.numbers)}.pem"
            file.write_bytes(pair.certificate + pair.key)
            context.load_cert_chain(file)
        return http.client.HTTPSConnection("127.0.0.1", server.settings.port, context=context, timeout=10)


def ask(connection: http.client.HTTPSConnection) -> tuple[int, str]:
    """Status and code of the problem, if it is one."""
    with closing(connection):
        status, body = exchange(connection, a_review(), "/validate/apps/v1")
        return status, body.get("code", "")


@pytest.mark.parametrize("kind", WORKERS)
def test_only_clients_with_a_pinned_name_may_ask(tmp_path: Path, kind: str) -> None:
    clients = Clients(tmp_path / "clients")
    environment = clients.environment("kube-apiserver", "other") | worker(kind)
    with admission_server(tmp_path, environment=environment) as server:
        assert ask(clients.connect(server, "kube-apiserver")) == (200, "")
        assert ask(clients.connect(server, "somebody")) == (403, "SS5007")
        assert ask(clients.connect(server, "")) == (403, "SS5007")
        kept = clients.connect(server, "kube-apiserver")
        for _ in range(5):
            assert exchange(kept, a_review())[0] == 200
        kept.close()
        stranger = clients.connect(server, "")
        stranger.request("GET", "/readyz")
        assert stranger.getresponse().status == 200
        stranger.close()


@pytest.mark.parametrize("kind", WORKERS)
def test_the_authority_of_clients_changes_without_a_restart(tmp_path: Path, kind: str) -> None:
    clients = Clients(tmp_path / "clients")
    environment = clients.environment("kube-apiserver") | worker(kind)
    with admission_server(tmp_path, environment=environment) as server:
        old = clients.connect(server, "kube-apiserver")
        assert exchange(old, a_review())[0] == 200
        old.close()
        clients.renew()

        def taken() -> bool:
            try:
                return ask(clients.connect(server, "kube-apiserver"))[0] == 200
            except OSError:
                return False

        assert eventually(taken, "certificates of the new authority are taken")

        def let_go() -> bool:
            try:
                ask(old)
            except OSError:
                return True
            return False

        assert eventually(let_go, "certificates of the old authority are not")


def test_a_client_authority_that_cannot_be_read_is_one_line_at_start(tmp_path: Path) -> None:
    environment = {"SETSCREW_CLIENT_CA": str(tmp_path / "none.crt"), "SETSCREW_CLIENT_NAMES": "kube-apiserver"}
    with admission_server(tmp_path, MAIN, environment, wait=False) as server:
        assert server.process.wait(30) == 2
    assert "the client CA cannot be loaded: No such file" in server.log.read_text()


def test_values_of_secrets_are_not_in_the_log_of_a_refused_client(tmp_path: Path) -> None:
    clients = Clients(tmp_path / "clients")
    with admission_server(tmp_path, environment=clients.environment("kube-apiserver")) as server:
        review = a_review()
        review["request"]["object"]["data"] = {"password": "do-not-log-this"}
        connection = clients.connect(server, "")
        connection.request("POST", "/validate", json.dumps(review), {"Content-Type": "application/json"})
        answer = connection.getresponse().read().decode()
        connection.close()
    assert "do-not-log-this" not in answer + server.log.read_text()
    assert os.linesep not in answer.strip()
