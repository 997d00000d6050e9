"""Holds HTTP as both kinds of worker speak it over TLS: what is no request, what is cut, and who does not read."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.support.admission import RunningServer, a_review, admission_server
from tests.support.waiting import eventually
from webhook.settings import WORKERS

pytestmark = pytest.mark.integration

START = b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module", params=WORKERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with admission_server(
        tmp_path_factory.mktemp("admission"), environment={"SETSCREW_ADMISSION_WORKER": request.param}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def asyncio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with admission_server(
        tmp_path_factory.mktemp("admission"), environment={"SETSCREW_ADMISSION_WORKERS": "1"}
    ) as running:
        yield running


def opened(server: RunningServer) -> ssl.SSLSocket:
    """A connection of its own, its handshake done."""
    connection = server.connect(timeout=30)
    connection.connect()
    sock: ssl.SSLSocket = connection.sock
    return sock


def all_of(sock: ssl.SSLSocket) -> bytes:
    """Everything until the server ends the connection."""
    found = b""
    with closing(sock), suppress(ConnectionResetError, ssl.SSLEOFError):
        while part := sock.recv(65536):
            found += part
    return found


def review(uid: str) -> bytes:
    body = json.dumps(a_review(uid)).encode()
    return START + b"Content-Length: %d\r\n\r\n" % len(body) + body


SMUGGLED = {
    "a length and chunks": START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
    "two lengths": START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{...}" + HEALTH,
    "a length that is no number": START + b"Content-Length: +5\r\n\r\n{...}" + HEALTH,
    "a coding that nobody knows": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HEALTH,
    "a blank before the colon": START + b"Content-Length : 5\r\n\r\n{...}" + HEALTH,
    "no HTTP": b"{...}\r\n\r\n" + HEALTH,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_two_readers_could_read_in_two_ways_is_refused_and_ends_the_connection(
    server: RunningServer, name: str
) -> None:
    sock = opened(server)
    sock.sendall(SMUGGLED[name])
    answer = all_of(sock)
    # The fall-back worker waits for the end of a body that has none, and then says nothing.
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")) or answer == b""
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_one_byte_after_the_other_is_the_same_request(server: RunningServer) -> None:
    sock = opened(server)
    for byte in review("u1") + LAST:
        sock.send(bytes([byte]))
    answer = all_of(sock)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b'"uid": "u1"' in answer


def test_the_old_protocol_gets_one_answer(server: RunningServer) -> None:
    sock = opened(server)
    sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert all_of(sock).endswith(b"\r\n\r\nok")


def test_a_client_that_waits_to_be_told_is_told(asyncio_server: RunningServer) -> None:
    head, _, body = review("u1").partition(b"\r\n\r\n")
    sock = opened(asyncio_server)
    sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(body + LAST)
    assert b'"uid": "u1"' in all_of(sock)


def send_all_the_time(sock: ssl.SSLSocket, most: int = 1 << 30) -> None:
    some = review("u1") * 50
    for _ in range(most // len(some)):
        sock.sendall(some)


def test_a_client_that_does_not_read_makes_nobody_hold_its_answers(asyncio_server: RunningServer) -> None:
    """What it may send before it is not read any more is what buffers of two kernels and of TLS hold."""
    sock = opened(asyncio_server)
    sock.settimeout(3)
    with pytest.raises(OSError, match=r"timed out|reset|Broken pipe|EOF"):
        send_all_the_time(sock)
    sock.close()
    assert asyncio_server.post(a_review())[0] == 200


def test_the_end_of_a_client_in_the_middle_of_a_request_is_no_fault(asyncio_server: RunningServer) -> None:
    for cut in (0, 20, len(START) + 30, -1):
        sock = opened(asyncio_server)
        sock.sendall(review("u1")[:cut])
        raw = socket.socket(fileno=sock.detach())
        raw.close()
    time.sleep(0.1)
    assert asyncio_server.post(a_review())[0] == 200
    assert eventually(lambda: "Traceback" not in asyncio_server.log.read_text(), "a log without a fault")
