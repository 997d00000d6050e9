"""When a request is whole, so that a thread may have it: however its bytes are cut, and whatever they say."""

from __future__ import annotations

import pytest

from reconciler.limits import REVIEW_THREAD_BYTES, REVIEW_WIRE_BYTES
from webhook.server.body import BodyBudget
from webhook.server.gathering import Gathering, HeadTooLongError

BIG = REVIEW_THREAD_BYTES + 1

WHOLE = {
    "no body": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a body": b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{...}",
    "a length spelt otherwise": b"POST / HTTP/1.1\r\nCONTENT-length:\t 5 \r\n\r\n{...}",
    "an empty body": b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "no chunk but the last": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a big body": b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG,
}


def gathering(budget: int = 10 * BIG) -> Gathering:
    return Gathering(BodyBudget(budget).share())


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "a big body"])
def test_a_request_is_whole_with_its_last_byte_and_not_before(name: str) -> None:
    one = gathering()
    said = [one.take(WHOLE[name][at : at + 1]) for at in range(len(WHOLE[name]))]
    assert said == [False] * (len(said) - 1) + [True]
    assert bytes(one.data) == WHOLE[name]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("cut", [1, 20, 45, 60])
def test_it_does_not_matter_where_a_request_is_cut(name: str, cut: int) -> None:
    one = gathering()
    whole = one.take(WHOLE[name][:cut])
    if not whole:
        assert one.take(WHOLE[name][cut:])
    assert WHOLE[name].startswith(one.data)
    assert (one.dropped, one.too_big) == (False, False)


def test_what_follows_a_request_is_kept_for_the_next() -> None:
    one = gathering()
    assert one.take(WHOLE["a body"] + b"POST /")
    assert bytes(one.data) == WHOLE["a body"] + b"POST /"


def test_a_body_that_cannot_be_held_is_waited_for_and_only_its_beginning_kept() -> None:
    budget = BodyBudget(REVIEW_THREAD_BYTES)
    one = Gathering(budget.share())
    head, body = WHOLE["a big body"][:-BIG], WHOLE["a big body"][-BIG:]
    assert not one.take(head + body[:-10])
    assert not one.take(body[-10:-1])
    assert one.take(body[-1:])
    assert (one.dropped, budget.left) == (True, REVIEW_THREAD_BYTES)
    assert bytes(one.data) == head + body[:1024]


def test_chunks_that_cannot_be_held_are_waited_for_too() -> None:
    one = gathering(REVIEW_THREAD_BYTES)
    assert not one.take(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % BIG + b"x" * BIG + b"\r\n0\r\n"
    )
    assert one.take(b"\r\n")
    assert one.dropped


def test_a_body_above_the_limit_is_not_waited_for() -> None:
    declared = gathering()
    assert declared.take(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (REVIEW_WIRE_BYTES + 1))
    assert declared.too_big
    chunked = gathering(2 * REVIEW_WIRE_BYTES)
    assert not chunked.take(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert not chunked.take(b"x" * REVIEW_WIRE_BYTES)
    assert chunked.take(b"x")
    assert chunked.too_big


@pytest.mark.parametrize("rest", [b"", b"\r\n\r\n"])
def test_a_head_without_an_end_is_not_gathered_for_ever(rest: bytes) -> None:
    one = gathering()
    with pytest.raises(HeadTooLongError):
        one.take(b"GET /" + b"x" * 70_000 + rest)
