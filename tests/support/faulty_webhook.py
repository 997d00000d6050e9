"""Owns a webhook that answers wrongly, late or not at all, as its test says. Must not judge what comes of it."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.support.admission import NAMES, free_port
from webhook.tls.files import ServingFiles, ensure

_TICK_SECONDS: Final = 0.1
_RESET: Final = struct.pack("ii", 1, 0)
_PATCH: Final = base64.b64encode(b"[]").decode()


def _http(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return head.encode() + b"\r\n" + body


def _review(api_version: str = "admission.k8s.io/v1", **response: Any) -> bytes:
    review = {"apiVersion": api_version, "kind": "AdmissionReview", "response": response}
    return _http("200 OK", json.dumps(review).encode())


# What is said to a review of that uid. Who says one of these has said neither yes nor no.
_GARBAGE: Final[Mapping[str, Callable[[str], bytes]]] = {
    "no HTTP": lambda _: b"\x16\x03\x00 neither is this\r\n\r\n",
    "nothing": lambda _: _http("200 OK", b""),
    "a page": lambda _: _http("200 OK", b"<html>Welcome</html>", "text/html"),
    "an internal error": lambda _: _http("500 Internal Server Error", b"Traceback"),
    "a redirection": lambda _: _http("302 Found\r\nLocation: https://127.0.0.1:9/", b""),
    "an empty object": lambda _: _http("200 OK", b"{}"),
    "no response": lambda _: _http("200 OK", b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'),
    "another uid": lambda _: _review(uid="00000000-0000-0000-0000-000000000000", allowed=True),
    "another version": lambda uid: _review("admission.k8s.io/v1beta1", uid=uid, allowed=True),
    "a patch": lambda uid: _review(uid=uid, allowed=True, patchType="JSONPatch", patch=_PATCH),
    "half of it": lambda uid: _review(uid=uid, allowed=True)[:-20],
}
# What never comes to an answer: the connection is refused, reset, not greeted, greeted by a stranger, cut, or left.
FAULTS: Final = ("stopped", "refused", "a foreign certificate", "cut", "hanging", "stalled", *_GARBAGE)


class FaultyWebhook:
    """`asked` are the paths of the reviews that arrived, in order. It begins by admitting everything ("yes")."""

    def __init__(self, directory: Path) -> None:
        self.files = ensure(directory / "own", NAMES, datetime.now(UTC))
        foreign = ensure(directory / "foreign", NAMES, datetime.now(UTC))
        self._own, self._foreign = _context(self.files), _context(foreign)
        self._port = free_port()
        self._how = "yes"
        self._changed = threading.Event()
        self._listening: threading.Thread | None = None
        self._connections: list[threading.Thread] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it would answer."""
        return f"https://127.0.0.1:{self._port}"

    def play(self, how: str) -> None:
        """Be one of `FAULTS`, or "yes", from the next connection on; whoever still waits is let go."""
        self.stop()
        self._how = how
        if how != "stopped":
            self._changed.clear()
            listener = socket.create_server(("127.0.0.1", self._port), backlog=64)
            listener.settimeout(_TICK_SECONDS)
            self._listening = threading.Thread(target=self._listen, args=(listener,))
            self._listening.start()

    def stop(self) -> None:
        """Nobody listens, and no connection is left."""
        self._changed.set()
        for thread in (*([self._listening] if self._listening else []), *self._connections):
            thread.join()
        self._listening, self._connections = None, []

    def _listen(self, listener: socket.socket) -> None:
        with listener:
            while not self._changed.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=self._serve, args=(connection,))
                    self._connections.append(thread)
                    thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            if self._how == "refused":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif self._how == "hanging":
                self._changed.wait()
            else:
                context = self._foreign if self._how == "a foreign certificate" else self._own
                with context.wrap_socket(connection, server_side=True) as secured:
                    self._answer(secured)

    def _answer(self, secured: ssl.SSLSocket) -> None:
        path, uid = _read(secured)
        self.asked.append(path)
        if self._how == "stalled":
            self._changed.wait()
        elif self._how == "yes":
            secured.sendall(_review(uid=uid, allowed=True))
        elif self._how in _GARBAGE:
            secured.sendall(_GARBAGE[self._how](uid))


@contextmanager
def faulty_webhook(directory: Path) -> Iterator[FaultyWebhook]:
    """One that is gone at the end."""
    one = FaultyWebhook(directory)
    one.play("yes")
    try:
        yield one
    finally:
        one.stop()


def _context(files: ServingFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


def _read(secured: ssl.SSLSocket) -> tuple[str, str]:
    """Path and uid of one request. Raises OSError where it is cut."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(secured)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += _more(secured)
    return lines[0].split(" ")[1], str(json.loads(body)["request"]["uid"])


def _more(secured: ssl.SSLSocket) -> bytes:
    part = secured.recv(65536)
    if not part:
        raise ConnectionError
    return part
