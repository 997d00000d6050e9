"""Owns the bytes of one request until it is whole, so that a thread gets only what it can read without waiting.

Must not read sockets, nor say what a request means: gunicorn's parser does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from reconciler.limits import REVIEW_WIRE_BYTES
from webhook.server.body import KEPT_BYTES, BodyShare, OverloadedError
from webhook.server.http import HEAD_BYTES

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


class HeadTooLongError(Exception):
    """So many bytes, and no end of the head."""


@dataclass(slots=True)
class Gathering:
    """One request as far as it has come, `head` and `body` in bytes.

    `dropped`: its body could not be held, and only the beginning was kept. `too_big`: nobody reads such a body.
    """

    share: BodyShare
    data: bytearray = field(default_factory=bytearray)
    head: int = 0
    body: int = 0
    dropped: bool = False
    too_big: bool = False
    _declared: int | None = 0
    _tail: bytes = b""

    def take(self, more: bytes) -> bool:
        """Add bytes. True once the request is whole, or too big. Raises HeadTooLongError."""
        if not self.head:
            self.data += more
            end = self.data.find(_END)
            if max(end, 0) > HEAD_BYTES or (end < 0 and len(self.data) > HEAD_BYTES):
                raise HeadTooLongError
            if end < 0:
                return False
            more = self._begin_body(end + len(_END))
        self._add(more)
        return self._whole()

    def _begin_body(self, head: int) -> bytes:
        self.head = head
        length = _LENGTH.search(self.data, 0, head)
        self._declared = None if _CHUNKED.search(self.data, 0, head) else int(length[1]) if length else 0
        body = bytes(self.data[head:])
        del self.data[head:]
        # A body without chunks begins behind a blank line.
        self._tail = _END[:2]
        return body

    def _add(self, more: bytes) -> None:
        self.body += len(more)
        self._tail = (self._tail + more[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        if self.dropped:
            return
        self.data += more
        try:
            self.share.grow(self.body)
        except OverloadedError:
            self.share.drop()
            self.dropped = True
            del self.data[self.head + KEPT_BYTES :]

    def _whole(self) -> bool:
        self.too_big = max(self.body, self._declared or 0) > REVIEW_WIRE_BYTES
        if self.too_big:
            return True
        return self._tail == _LAST_CHUNK if self._declared is None else self.body >= self._declared
