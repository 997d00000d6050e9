"""The reply as it is written."""

from __future__ import annotations

import pytest

from webhook.server.http import Reply, problem, unavailable, wire


def test_a_reply_is_written_whole() -> None:
    reply = Reply(200, b"{}", b"application/json")
    assert wire(reply) == b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    assert wire(reply, head_only=True).endswith(b"content-length: 2\r\n\r\n")
    head = wire(unavailable("no")).partition(b"\r\n\r\n")[0].splitlines()
    assert head[0] == b"HTTP/1.1 503 Service Unavailable"
    assert {b"retry-after: 1", b"connection: close"} < set(head)


def test_whoever_ends_the_connection_says_so_once() -> None:
    assert wire(Reply(200, b""), close=True).count(b"connection: close\r\n") == 1
    assert wire(Reply(200, b"", close=True), close=True).count(b"connection: close\r\n") == 1
    assert b"connection" not in wire(Reply(200, b""))


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_no_reply_can_hold_a_field_that_nobody_meant(end: bytes) -> None:
    injected = b"x" + end + b"set-cookie: a=b"
    for reply in (
        Reply(200, b"", headers=((b"allow", injected),)),
        Reply(200, b"", headers=((injected, b"GET"),)),
        Reply(200, b"", content_type=injected),
    ):
        with pytest.raises(ValueError, match="line end"):
            wire(reply)


def test_what_a_body_says_stays_in_the_body() -> None:
    said = "first\r\n\r\nHTTP/1.1 200 OK\r\n"
    head, _, body = wire(problem(400, said)).partition(b"\r\n\r\n")
    assert b"first" not in head
    assert body.count(b"\n") == 1
