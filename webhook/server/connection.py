"""Owns one connection of the fall-back worker between its requests: handshake, reading, farewell, and their time.

Never waits; must not parse nor answer.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS, HEADER_SECONDS, KIB, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.client import refusal
from webhook.server.gathering import Gathering

_READ_BYTES: Final = 64 * KIB


@dataclass(slots=True, eq=False)
class Connection:
    """`until`: when it is closed if nothing comes. `refusal`: why its client may not ask for reviews, if so."""

    sock: ssl.SSLSocket
    client: Any
    gathering: Gathering
    until: float
    names: Sequence[str] = ()
    refusal: str = ""
    arrived: float = 0.0
    waits_for: int = selectors.EVENT_READ
    _shaken: bool = False
    _leaving: bool = False

    def idle(self) -> bool:
        """True if nothing of a request has come."""
        return not self.gathering.data

    def advance(self) -> bool:
        """Go on as far as it goes without waiting; True once a request is whole.

        Raises ssl.SSLWantReadError or ssl.SSLWantWriteError where it has to wait; another OSError, or HeadTooLongError,
        where there is nothing to wait for.
        """
        if not self._shaken:
            self.sock.do_handshake()
            # Go keeps a connection that it has opened in vain for a later call.
            self._shaken, self.until = True, time.monotonic() + ADMISSION_KEEPALIVE_SECONDS
            self.refusal = refusal(self.sock, self.names)
        while data := self.sock.recv(_READ_BYTES):
            if not self._leaving and self.take(data):
                return True
        raise ConnectionResetError

    def take(self, data: bytes) -> bool:
        """Bytes of a request; True once it is whole. The first begin its time. Raises HeadTooLongError."""
        now, gathering = time.monotonic(), self.gathering
        if self.idle():
            self.arrived, self.until = now, now + HEADER_SECONDS
        in_head = not gathering.head
        whole = gathering.take(data)
        if in_head and gathering.head:
            self.until = now + WEBHOOK_TIMEOUT_SECONDS
        return whole

    def leave(self, until: float) -> None:
        """Say that nothing more is sent, and read on until the client ends too. Raises OSError.

        Bytes that are left unread would make the kernel take back an answer that the client has not read yet.
        """
        self._leaving, self.until = True, until
        self.sock.setblocking(False)
        self.sock.shutdown(socket.SHUT_WR)
