"""What is no request, or too much of one: a status, the end of the connection, and nothing behind it is read."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.wire import Wire, an_app
from webhook.server.http import HEAD_BYTES

START = b"POST /validate HTTP/1.1\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
# What an answer of its own would show to have been read as a second request.
SECOND = b"GET /readyz HTTP/1.1\r\n\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n"

BAD = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "no version": (b"GET /healthz\r\n\r\n", 505),
    "a version that is none": (b"GET /healthz HTTP/1.9\r\n\r\n", 400),
    "a version to come": (b"GET /healthz HTTP/2.0\r\n\r\n", 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "an unknown method": (b"GRAB /healthz HTTP/1.1\r\n\r\n", 400),
    "no target": (b"GET  HTTP/1.1\r\n\r\n", 400),
    "a control character in the target": (b"GET /health\x00z HTTP/1.1\r\n\r\n", 400),
    "a tunnel": (b"CONNECT localhost:1 HTTP/1.1\r\n\r\n", 400),
    "another protocol": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400),
    "a field without a colon": (GET + b"nothing\r\n\r\n", 400),
    "a field without a name": (GET + b": a\r\n\r\n", 400),
    "a blank before the colon": (GET + b"Content-Length : 3\r\n\r\nabc", 400),
    "a folded field": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "a control character in a field": (GET + b"A: b\x00c\r\n\r\n", 400),
    "a carriage return in a field": (GET + b"A: b\rContent-Length: 3\r\n\r\nabc", 400),
    "lines that end too early": (b"GET /healthz HTTP/1.1\nContent-Length: 3\n\nabc", 400),
    "a length that is no number": (START + b"Content-Length: x\r\n\r\n", 400),
    "a negative length": (START + b"Content-Length: -1\r\n\r\n", 400),
    "a length with a sign": (START + b"Content-Length: +2\r\n\r\n{}", 400),
    "a length in hexadecimal": (START + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "two lengths": (START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two lengths in one": (START + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a length beyond all numbers": (START + b"Content-Length: 99999999999999999999999\r\n\r\n{}", 400),
    "a length and chunks": (START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and a length": (CHUNKED + b"Content-Length: 2\r\n\r\n0\r\n\r\n", 400),
    "a coding behind the chunks": (START + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    "another coding": (START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunks in HTTP/1.0": (CHUNKED.replace(b"1.1", b"1.0") + b"\r\n0\r\n\r\n", 501),
    "a chunk without a size": (CHUNKED + b"\r\n\r\nabc\r\n0\r\n\r\n", 400),
    "a size that is no number": (CHUNKED + b"\r\nz\r\nabc\r\n0\r\n\r\n", 400),
    "a size with a sign": (CHUNKED + b"\r\n+3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk that is longer than its size": (CHUNKED + b"\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    "a size beyond all numbers": (CHUNKED + b"\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
    "a long target": (b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n", 431),
    "a long field": (GET + b"A: " + b"b" * HEAD_BYTES + b"\r\n\r\n", 431),
    "many fields": (GET + b"A: b\r\n" * HEAD_BYTES + b"\r\n", 431),
    "a head without end": (GET + b"A: " + b"b" * 4 * HEAD_BYTES, 431),
    "a long field behind the chunks": (CHUNKED + b"\r\n0\r\nA: " + b"b" * 4 * HEAD_BYTES, 431),
    "a long extension of a chunk": (CHUNKED + b"\r\n3;a=" + b"b" * 4 * HEAD_BYTES, 431),
    "blank lines without end": (b"\r\n" * 2 * HEAD_BYTES, 431),
}


def sent(data: bytes, size: int) -> Wire:
    async def work() -> Wire:
        wire = Wire(an_app())
        wire.send(*(data[at : at + size] for at in range(0, len(data), size)))
        return wire

    return asyncio.run(work())


@pytest.mark.parametrize("size", [1, 1000, 1 << 16])
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_request_has_a_status_and_ends_the_connection(name: str, size: int) -> None:
    bad, status = BAD[name]
    wire = sent(GET + b"\r\n" + bad + SECOND, size)
    assert [answer.status for answer in wire.answers()] == [200, status]
    last = wire.answers()[-1]
    assert last.headers[b"connection"] == b"close"
    assert json.loads(last.body)["status"] == status
    assert wire.closed


@pytest.mark.parametrize("name", BAD)
def test_nothing_of_a_client_stands_in_the_answer_to_what_is_no_request(name: str) -> None:
    bad, _ = BAD[name]
    plain = {answer.body for answer in sent(bad, 1 << 20).answers()}
    assert plain == {
        answer.body for answer in sent(bad.replace(b"abc", b"xyz").replace(b"A: ", b"Q: "), 1 << 20).answers()
    }


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_head_just_below_the_limit_is_read(size: int) -> None:
    wire = sent(GET + b"A: " + b"b" * (HEAD_BYTES - 100) + b"\r\n\r\n", size)
    assert [answer.status for answer in wire.answers()] == [200]
    assert not wire.closed


def test_of_a_field_that_stands_twice_the_first_counts() -> None:
    wire = sent(START + b"Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n{", 1 << 20)
    assert [answer.status for answer in wire.answers()] == [400]
    wire = sent(START.replace(b"application/json", b"text/plain") + START[25:] + b"Content-Length: 1\r\n\r\n{", 1 << 20)
    assert [answer.status for answer in wire.answers()] == [415]


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"https://any.example:8443/healthz?a=b#c", 200), (b"/healthz?a=b", 200), (b"/health%7a", 404), (b"//[", 404),
     (b"*", 404), (b"/healthz/" + b"a" * 5000, 404)],
)  # fmt: skip
def test_targets_of_any_form_have_an_answer(target: bytes, status: int) -> None:
    wire = sent(GET.replace(b"/healthz", target) + b"\r\n", 1 << 20)
    assert [answer.status for answer in wire.answers()] == [status]
    assert not wire.closed
