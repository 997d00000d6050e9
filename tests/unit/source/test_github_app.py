"""Tokens of a GitHub App, asked of an endpoint of the test that says it is one: it checks the proof as GitHub would."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.errors import SourceError
from reconciler.source.credentials import App, Credentials
from reconciler.source.github_app import Tokens
from setscrew.controlplane.certificates import Authority


class Host(ThreadingHTTPServer):
    """What GitHub does: a signed proof of the App is exchanged for a token."""

    daemon_threads = True

    def __init__(self, place: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked = 0
        self.lasts = 3600.0
        self.answer: tuple[int, bytes] | None = None
        self.ca = Authority.create("github", datetime.now(UTC))
        pair = self.ca.server("localhost", ("localhost",), datetime.now(UTC))
        (place / "tls.crt").write_bytes(pair.certificate)
        (place / "tls.key").write_bytes(pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "tls.crt", place / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def credentials(self) -> Credentials:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        app = App("12", "34", pem, f"https://localhost:{self.server_address[1]}/api/v3")
        return Credentials(ca=self.ca.pair.certificate.decode(), app=app)


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_POST(self) -> None:
        self.server.asked += 1
        status, body = self.server.answer or self._judged()
        self.send_response(status)
        self.send_header("Location", "https://localhost:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _judged(self) -> tuple[int, bytes]:
        signed, _, signature = self.headers["Authorization"].removeprefix("Bearer ").rpartition(".")
        self.server.key.public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), hashes.SHA256())
        claims: Any = json.loads(decoded(signed.partition(".")[2]))
        good = claims["iss"] == "12" and claims["exp"] - claims["iat"] <= 600 and claims["exp"] > time.time()
        if not good or self.path != "/api/v3/app/installations/34/access_tokens":
            return 401, b"{}"
        end = datetime.fromtimestamp(time.time() + self.server.lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, json.dumps({"token": f"ghs_{self.server.asked}", "expires_at": end}).encode()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it that
        """Nobody reads it."""


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path) as one:
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield one
        one.shutdown()


def exchanged(tokens: Tokens, host: Host) -> Credentials:
    return tokens.exchanged(host.credentials(), "source shop", allow_private=True)


def test_a_token_is_the_password_and_is_asked_for_once(host: Host) -> None:
    tokens = Tokens()
    found = [exchanged(tokens, host) for _ in range(3)]
    assert {(one.username, one.password) for one in found} == {("x-access-token", "ghs_1")}
    assert host.asked == 1


def test_a_token_is_asked_for_anew_shortly_before_it_ends(host: Host) -> None:
    tokens, host.lasts = Tokens(), 290
    assert [exchanged(tokens, host).password for _ in range(2)] == ["ghs_1", "ghs_2"]


@pytest.mark.parametrize(
    ("answer", "word"),
    [((404, b"{}"), "404"), ((302, b"{}"), "302"), ((201, b"nonsense"), "holds no token"), ((201, b"[]"), "holds no")],
)
def test_a_host_that_gives_none_is_told_in_one_line(host: Host, answer: tuple[int, bytes], word: str) -> None:
    host.answer = answer
    with pytest.raises(SourceError) as caught:
        exchanged(Tokens(), host)
    assert (caught.value.code, word in str(caught.value)) == ("SS2016", True)
    assert "PRIVATE KEY" not in str(caught.value)


def test_this_machine_is_no_host_unless_it_is_meant(host: Host) -> None:
    with pytest.raises(SourceError) as caught:
        Tokens().exchanged(host.credentials(), "source shop")
    assert (caught.value.code, host.asked) == ("SS2005", 0)
