"""Owns the reading of requests out of one connection's bytes: llhttp's events in, heads and bodies out. Does no I/O.

The parser is strict and looks at each byte once. What it leaves open is decided here: how long a head may be, which
fields are read, and that what cannot be read is the last thing that is.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from reconciler.errors import ReviewError, place
from webhook.server.app import AdmissionApp
from webhook.server.body import Body
from webhook.server.http import HEAD_BYTES, Head, Reply, problem

_LOG: Final = logging.getLogger("setscrew.admission")
_FIELDS: Final = frozenset({b"content-type", b"content-length", b"transfer-encoding", b"expect"})
# Whoever sends so many requests before it has read an answer is no API server.
_AHEAD: Final = 64


@dataclass(slots=True, eq=False)
class Incoming:
    """One request as far as it has come. `reply`: what it gets whatever its body says.

    `keep`: its connection may outlive it. `waits`: its client sends no body before it is told to go on.
    """

    head: Head
    body: Body
    keep: bool
    waits: bool = False
    reply: Reply | None = None


class IncomingRequests:
    """The requests of one connection: `ready` in their order, then `current`, whose head is read.

    `begun`: something of a request has come that is not ready. `ended`: nothing more is read, and the last of `ready`
    ends the connection.
    """

    def __init__(self, app: AdmissionApp, client: str) -> None:
        self._app, self._client = app, client
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._target = b""
        self._fields: dict[bytes, bytes] = {}
        self._head_bytes = 0
        # Bytes since the last of a body: of a head, of fields behind a body, of what stands between chunks.
        self._loose = 0
        self._now = 0.0
        self.arrived = 0.0
        self.ready: deque[Incoming] = deque()
        self.current: Incoming | None = None
        self.begun = False
        self.ended = False

    def feed(self, data: bytes, now: float) -> None:
        """Bytes of the client, at `now` in the loop's time. Nothing is raised: what cannot be read has its reply."""
        if self.ended or self._parser is None:
            return
        self._now = now
        self._loose += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._end(problem(400, "this server speaks HTTP/1.1"))
        except HttpParserCallbackError as error:
            _LOG.error("a request could not be read: %s", place(error.__context__ or error))
            self._end(problem(500, "an internal error"))
        except HttpParserError:
            self._end(problem(400, "this is no request in HTTP/1.1"))
        if self._loose > HEAD_BYTES:
            self._end(_long_head())

    def close(self) -> None:
        """The connection is gone: what has not been answered holds nothing any more."""
        # Parser and events hold each other.
        self._parser, self.ended = None, True
        for request in (*self.ready, *((self.current,) if self.current else ())):
            request.body.share.give_back()
        self.ready.clear()
        self.current = None

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.begun, self.arrived = True, self._now

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self._head_bytes += len(part)
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or one behind a body in chunks, which nobody reads."""
        self._head_bytes += len(name) + len(value)
        field = name.lower()
        if field in _FIELDS:
            self._fields.setdefault(field, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.ended or self._parser is None:
            return
        read = self._fields.get
        version = self._parser.get_http_version()
        http_1_1 = version == "1.1"
        coding = read(b"transfer-encoding")
        if self._head_bytes > HEAD_BYTES:
            self._end(_long_head())
        elif version not in {"1.0", "1.1"}:
            self._end(problem(505, "this server speaks HTTP/1.1"))
        elif coding is not None and not (http_1_1 and coding.lower() == b"chunked"):
            self._end(problem(501, "the only transfer coding is chunked, in HTTP/1.1"))
        elif not self._parser.should_upgrade():
            keep = http_1_1 and self._parser.should_keep_alive()
            waits = http_1_1 and read(b"expect", b"").lower() == b"100-continue"
            self._begin(keep=keep, waits=waits)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._loose = 0
        if self.current is None:
            return
        try:
            self.current.body.take(part)
        except ReviewError as error:
            self._end(self._app.failed(error))

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.current is None:
            return
        self.ready.append(self.current)
        self._forget()
        if len(self.ready) > _AHEAD:
            self._end(problem(400, "too many requests ahead of their answers"))

    def _begin(self, *, keep: bool, waits: bool) -> None:
        fields, self._fields = self._fields, {}
        content_type = fields.get(b"content-type", b"").decode("latin-1")
        length = int(fields.get(b"content-length", 0))
        assert self._parser is not None  # noqa: S101 - asked by who calls
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        head = Head(method, target, content_type, length, self._client, self.arrived)
        reply = self._app.refuse(head)
        self.current = Incoming(head, self._app.body(), keep, waits, reply)
        if reply is not None and (reply.close or waits):
            self._end(reply)

    def _end(self, reply: Reply) -> None:
        """The request that is being read gets `reply`, and nothing behind it is read."""
        if self.ended:
            return
        request = self.current or Incoming(Head("", ""), self._app.body(), keep=False)
        request.keep, request.reply = False, reply
        self.ready.append(request)
        self._forget()
        self.ended = True

    def _forget(self) -> None:
        self.current, self.begun = None, False
        self._target, self._fields = b"", {}
        self._head_bytes = self._loose = 0


def _long_head() -> Reply:
    return problem(431, f"the head is larger than {HEAD_BYTES} bytes")
