"""Owns a real smart-HTTP Git server of one test: `git http-backend` behind a small HTTPS front. Must not hold cases.

The Git part is git's own, pushes included; the front does what Apache would: TLS of a private authority, the password
(or a bearer token, or a client's certificate), chunked and compressed bodies, and it counts what was asked.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from setscrew.controlplane.certificates import Authority, KeyPair
from setscrew.controlplane.ports import Reservation

REALM = "git"
_SILENT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in: `path` with its query, `authorization` as sent, `status` of the answer."""

    method: str
    path: str
    authorization: str
    status: int


@dataclass(slots=True)
class GitHttp:
    """Serves the bare repositories in `root` at `https://localhost:<port>/<name>.git`; use as a context manager.

    `users` (name → password) and `tokens` may read and write; with neither, anyone may. `clients` also asks for a
    certificate of that authority. `hang` set: requests are taken and not answered. `redirect`: where all are sent.
    `failing`: the status that all are answered with.
    """

    root: Path
    users: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    clients: Authority | None = None
    asked: list[Asked] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    redirect: str = ""
    failing: int = 0
    authority: Authority = field(default_factory=lambda: Authority.create("git-tests", datetime.now(UTC)))
    _port: Reservation = field(default_factory=Reservation.take)
    _server: _Server | None = None

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hang.clear()
        self.stop()
        self._port.release()

    @property
    def port(self) -> int:
        """The same, however often the server goes down and comes back."""
        return self._port.port

    @property
    def ca(self) -> bytes:
        """The authority's certificate, PEM: what a Secret holds as `ca.crt`."""
        return self.authority.pair.certificate

    def url(self, name: str = "deploy") -> str:
        """The address of a repository."""
        return f"https://localhost:{self.port}/{name}.git"

    def create(self, name: str = "deploy", branch: str = "main") -> Path:
        """An empty bare repository; its directory, whose `hooks/` are the server's own."""
        place = self.root / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(place)], check=True)
        return place

    def start(self) -> None:
        """Serve, again on the same port."""
        pair = self.authority.server("localhost", ("localhost", "127.0.0.1"), datetime.now(UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_files(self.root.parent, pair))
        if self.clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.clients.pair.certificate.decode())
        server = _Server(("127.0.0.1", self.port), _Handler)
        server.git, server.context = self, context
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections until `start`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def admits(self, authorization: str) -> bool:
        """Whether whoever sends this header may use the repositories."""
        if not self.users and not self.tokens:
            return True
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return rest in self.tokens
        try:
            user, _, password = base64.b64decode(rest).decode().partition(":")
        except ValueError:
            return False
        return scheme.lower() == "basic" and bool(password) and self.users.get(user) == password

    def count(self, service: str) -> int:
        """How often `git-upload-pack` was asked for what refs there are; `/git-upload-pack` for a pack or refs."""
        return sum(service in one.path for one in self.asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_port = True  # beside the reservation, which does not listen
    request_queue_size = 64
    git: GitHttp
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        """The handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        connection.settimeout(_SILENT_SECONDS)
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, or that do not trust us, are cases of tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it that
        """`asked` has it."""

    def _serve(self) -> None:
        git, self.close_connection = self.server.git, True
        body = b"".join(self._body())
        while git.hang.is_set():
            threading.Event().wait(0.05)
        authorization = self.headers.get("Authorization", "")
        if git.failing:
            status, headers, answer = git.failing, {}, b"this server is not well\n"
        elif git.redirect:
            status, headers, answer = 302, {"Location": git.redirect + self.path}, b""
        elif not git.admits(authorization):
            status, headers, answer = 401, {"WWW-Authenticate": f'Basic realm="{REALM}"'}, b"who are you?\n"
        else:
            status, headers, answer = _backend(git, self, body)
        git.asked.append(Asked(self.command, self.path, authorization, status))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass


def _backend(git: GitHttp, request: _Handler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer of `git http-backend`, a CGI program: status, headers, body."""
    asked = urlsplit(request.path)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_PROJECT_ROOT": str(git.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.receivepack",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_CONFIG_KEY_1": "uploadpack.allowAnySHA1InWant",
        "GIT_CONFIG_VALUE_1": "true",
        "REQUEST_METHOD": request.command,
        "PATH_INFO": asked.path,
        "QUERY_STRING": asked.query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": request.client_address[0],
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
    head, _, answer = done.stdout.partition(b"\r\n\r\n")
    rows = (row.partition(": ") for row in head.decode("latin-1").split("\r\n") if row)
    headers = {name: value for name, _, value in rows}
    return int(headers.pop("Status", "200").split()[0]), headers, answer


def _files(directory: Path, pair: KeyPair) -> tuple[Path, Path]:
    places = directory / "git-http.crt", directory / "git-http.key"
    for place, content in zip(places, (pair.certificate, pair.key), strict=True):
        place.write_bytes(content)
        place.chmod(0o600)
    return places
