"""Long answers come line by line, whatever they weigh; errors are those of every other request."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from reconciler.errors import ApiError, UnreachableError
from tests.unit.cluster.test_api import Serve, serve

__all__ = ["serve"]


def test_the_lines_are_those_of_the_body_also_where_it_is_compressed(serve: Serve) -> None:
    body = b"\n".join(b"line %d" % number for number in range(50_000)) + b"\nlast"
    packed = gzip.compress(body)
    client = serve((200, {}, body), (200, {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}, packed))
    for _ in range(2):
        assert [line.rstrip(b"\n") for line in client.lines("/metrics")] == body.split(b"\n")


def test_it_is_not_asked_before_somebody_reads(serve: Serve) -> None:
    assert isinstance(serve().lines("/metrics"), Iterator)


def test_a_refusal_carries_the_words_of_the_api_server(serve: Serve) -> None:
    body = b'{"kind": "Status", "message": "forbidden: cannot get path /metrics", "reason": "Forbidden"}'
    with pytest.raises(ApiError, match="cannot get path") as caught:
        list(serve((403, {}, body)).lines("/metrics"))
    assert caught.value.status == 403


def test_a_connection_that_breaks_is_no_short_answer(serve: Serve) -> None:
    with pytest.raises(UnreachableError):
        list(serve((200, {"Content-Length": "1000", "Connection": "close"}, b"half\n")).lines("/metrics"))
    with pytest.raises(UnreachableError):
        list(serve(None).lines("/metrics"))
