"""Owns HTTP for the admission server: bodies in, replies out, over bare ASGI. Must not read reviews nor decide."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_HELD_BYTES, REVIEW_THREAD_BYTES, REVIEW_WIRE_BYTES
from webhook.decision.review import NOT_JSON, TOO_LARGE

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_RETRY: tuple[Header, ...] = ((b"retry-after", b"1"),)
_CLOSE: Header = (b"connection", b"close")
# Of a body that cannot be held: enough to find the uid that a refusal needs.
_HEAD_BYTES = 1024
_HEAD_PARTS = 64


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `close`: the connection ends with it."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = ()
    close: bool = False


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


class OverloadedError(Exception):
    """This worker holds as many bytes of big bodies as it may. `head` is what was kept of the body."""

    def __init__(self, head: bytes = b"") -> None:
        super().__init__()
        self.head = head


@dataclass(slots=True)
class BodyBudget:
    """Bytes of big bodies that one worker may hold at once: many slow senders cannot fill the memory."""

    left: int = REVIEW_HELD_BYTES

    def share(self) -> BodyShare:
        """The part of one request, given back at the end of its `with` block."""
        return BodyShare(self)


@dataclass(slots=True)
class BodyShare:
    """What one request takes of the budget. Bodies that are judged at once take nothing."""

    budget: BodyBudget
    held: int = 0

    def grow(self, size: int) -> None:
        """The body has reached `size` bytes. Raises OverloadedError."""
        more = size - self.held
        if size <= REVIEW_THREAD_BYTES:
            return
        if more > self.budget.left:
            raise OverloadedError
        self.budget.left -= more
        self.held = size

    def give_back(self) -> None:
        """Nothing is held any more."""
        self.budget.left += self.held
        self.held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


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


async def send_reply(send: Send, reply: Reply) -> None:
    """Write `reply` whole."""
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    if reply.close:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of the header `name` (lower case), or None."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def check_json(scope: Scope) -> None:
    """Raises ReviewError 415 unless the body says that it is JSON."""
    content_type = header(scope, b"content-type") or b""
    if content_type.split(b";", 1)[0].strip().lower() != b"application/json":
        raise ReviewError("the content type must be application/json", status=415, code=NOT_JSON)


async def read_body(scope: Scope, receive: Receive, share: BodyShare) -> bytes:
    """The body, its parts joined once. Raises ReviewError 413 as soon as it is known to be too big.

    Raises ClientGoneError where it is cut short, OverloadedError where `share` cannot hold it: the rest is let pass by
    then, unkept, since a client that is still sending does not look for an answer.
    """
    declared = header(scope, b"content-length") or b"0"
    if declared.isdigit() and int(declared) > REVIEW_WIRE_BYTES:
        raise _too_big()
    parts: list[bytes] = []
    size, dropped = 0, False
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > REVIEW_WIRE_BYTES:
            raise _too_big()
        if not dropped:
            parts.append(part)
            dropped = not _held(share, size)
            parts = [b"".join(parts[:_HEAD_PARTS])[:_HEAD_BYTES]] if dropped else parts
        if not message.get("more_body", False):
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            if dropped:
                raise OverloadedError(body)
            return body


def _held(share: BodyShare, size: int) -> bool:
    try:
        share.grow(size)
    except OverloadedError:
        share.give_back()
        return False
    return True


def _too_big() -> ReviewError:
    return ReviewError(f"the body is larger than {REVIEW_WIRE_BYTES} bytes", status=413, code=TOO_LARGE)
