"""One connection of the fall-back worker between its requests, over a socket that is scripted."""

from __future__ import annotations

import ssl
import time
from typing import Any

import pytest

from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS, HEADER_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.body import BodyBudget
from webhook.server.connection import Connection
from webhook.server.gathering import Gathering

HEAD = b"POST /validate HTTP/1.1\r\nContent-Length: 5\r\n\r\n"


class Script:
    """A socket that gives these bytes one after the other, then has to wait; b"" is the end."""

    def __init__(self, *parts: bytes, shakes: int = 0) -> None:
        self.parts = list(parts)
        self.shakes = shakes
        self.shut = False

    def do_handshake(self) -> None:
        if self.shakes:
            self.shakes -= 1
            raise ssl.SSLWantReadError

    def recv(self, _: int) -> bytes:
        if not self.parts:
            raise ssl.SSLWantReadError
        return self.parts.pop(0)

    def setblocking(self, flag: bool) -> None:
        assert flag is False

    def shutdown(self, _: int) -> None:
        self.shut = True


def connection(script: Script) -> Connection:
    sock: Any = script
    return Connection(sock, ("127.0.0.1", 1), Gathering(BodyBudget().share()), time.monotonic() + 1)


def seconds_left(one: Connection) -> float:
    return one.until - time.monotonic()


def test_a_request_in_parts_is_taken_up_when_it_is_whole() -> None:
    script = Script(HEAD[:9], shakes=1)
    one = connection(script)
    for _ in range(2):
        with pytest.raises(ssl.SSLWantReadError):
            one.advance()
    script.parts = [HEAD[9:], b"{..", b".}"]
    assert one.advance()
    assert bytes(one.gathering.data) == HEAD + b"{...}"


def test_each_stage_has_its_time() -> None:
    script = Script()
    one = connection(script)
    with pytest.raises(ssl.SSLWantReadError):
        one.advance()
    # As long as one that is kept alive: Go keeps what it has opened in vain.
    assert HEADER_SECONDS < seconds_left(one) <= ADMISSION_KEEPALIVE_SECONDS
    script.parts = [HEAD[:9]]
    with pytest.raises(ssl.SSLWantReadError):
        one.advance()
    assert seconds_left(one) <= HEADER_SECONDS
    one.until = time.monotonic() + 100
    script.parts = [HEAD[9:]]
    with pytest.raises(ssl.SSLWantReadError):
        one.advance()
    assert seconds_left(one) <= WEBHOOK_TIMEOUT_SECONDS
    one.until = time.monotonic()
    script.parts = [b"{"]
    with pytest.raises(ssl.SSLWantReadError):
        one.advance()
    # One byte after the other does not make it longer.
    assert seconds_left(one) <= 0


def test_a_client_that_ends_is_told_as_an_error() -> None:
    with pytest.raises(ConnectionResetError):
        connection(Script(HEAD, b"")).advance()


def test_what_comes_after_the_farewell_is_no_request() -> None:
    script = Script(HEAD + b"{...}", HEAD + b"{...}", b"")
    one = connection(script)
    one.leave(time.monotonic() + 1)
    assert script.shut
    with pytest.raises(ConnectionResetError):
        one.advance()
    assert one.idle()
