"""Owns HTTP for the admission server: heads in, replies out as bytes. Must not read sockets, parse, nor decide."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from reconciler.limits import KIB
from webhook.server.client import NO_CERTIFICATE

Header = tuple[bytes, bytes]

HEAD_BYTES: Final = 64 * KIB
"""Of a request: its line and all its fields; also what may stand between two parts of a body in chunks."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_RETRY: Final[tuple[Header, ...]] = ((b"retry-after", b"1"),)
_CLOSE: Final = b"connection: close\r\n"
_LINE_ENDS: Final = frozenset(b"\r\n")


@dataclass(slots=True)
class Head:
    """A request without its body, as far as anybody here looks at it.

    `length` is the declared one, in bytes. `client`: why its client may not ask for reviews. `arrived`: its first byte,
    in the time of the loop.
    """

    method: str
    target: str
    content_type: str = ""
    length: int = 0
    client: str = NO_CERTIFICATE
    arrived: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `close`: the connection ends with it."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = ()
    close: bool = False


def problem(
    status: int, detail: str, *, code: str = "", close: bool = False, headers: tuple[Header, ...] = ()
) -> Reply:
    """RFC 9457 problem+json on one line; `code` is that of docs/reference/errors.md."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if code:
        document["code"] = code
    body = json.dumps(document, separators=(", ", ": ")).encode() + b"\n"
    return Reply(status, body, b"application/problem+json", headers, close)


def unavailable(detail: str) -> Reply:
    """503 that the API server's client tries again after a second, over a new connection, within its own timeout."""
    return problem(503, detail, close=True, headers=_RETRY)


def text(status: int, word: bytes) -> Reply:
    """A plain word, for health checks."""
    return Reply(status, word, b"text/plain; charset=utf-8")


def wire(reply: Reply, *, close: bool = False, head_only: bool = False) -> bytes:
    """The reply in HTTP/1.1, to be written at once: head and body then share a TLS record."""
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (
        _start(reply.status, reply.content_type, reply.headers),
        _CLOSE if close or reply.close else b"",
        len(reply.body),
        b"" if head_only else reply.body,
    )


@lru_cache
def _start(status: int, content_type: bytes, headers: tuple[Header, ...]) -> bytes:
    """All that is the same for each reply of a kind. Raises ValueError for a line end inside a field."""
    fields = ((b"content-type", content_type), *headers)
    if any(_LINE_ENDS.intersection(part) for field in fields for part in field):
        raise ValueError("a header field holds a line end")
    lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b"%b: %b" % field for field in fields), b"")
    return b"\r\n".join(lines)
