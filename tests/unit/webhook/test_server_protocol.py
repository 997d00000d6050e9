"""One connection of a worker: answers in their order, however bytes are cut, and what becomes of clients that stall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.limits import (
    ADMISSION_CONNECTIONS,
    ADMISSION_KEEPALIVE_SECONDS,
    HEADER_SECONDS,
    REVIEW_THREAD_BYTES,
    WEBHOOK_TIMEOUT_SECONDS,
)
from tests.support.admission import a_review
from tests.support.wire import JSON, Wire, an_app, request, until
from webhook.decision.look import CURRENT, Look
from webhook.server.board import COLUMN
from webhook.server.http import CONTINUE

HEALTH = b"GET /healthz HTTP/1.1\r\n\r\n"
OPEN = request().removesuffix(b"content-length: 0\r\n\r\n")
EXPECTS = (b"expect", b"100-continue")


def review(uid: str, verdict: str = "allow", **more: Any) -> bytes:
    """A whole request."""
    return request(json.dumps(a_review(uid, verdict, **more)).encode())


def chunked(uid: str) -> bytes:
    """The same in chunks, with an extension and a field behind them."""
    body = json.dumps(a_review(uid)).encode()
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    return OPEN + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nContent-Type: text/plain\r\n\r\n"


PIPELINE = review("u1") + HEALTH + chunked("u2") + request(b"{") + request(path="/nowhere") + review("u3", "deny")


def ran(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type] # a coroutine


def uids(wire: Wire) -> list[str]:
    return [json.loads(answer.body)["response"]["uid"] for answer in wire.answers() if b'"uid"' in answer.body]


def at_once(*parts: bytes) -> Wire:
    """What becomes of a connection on which this comes, all of it answered without waiting."""

    async def sent() -> Wire:
        wire = Wire(an_app())
        wire.send(*parts)
        return wire

    return asyncio.run(sent())


def test_requests_that_come_together_are_answered_in_their_order_each_in_one_write() -> None:
    wire = at_once(PIPELINE)
    assert [answer.status for answer in wire.answers()] == [200, 200, 200, 400, 404, 200]
    assert uids(wire) == ["u1", "u2", "u3"]
    assert len(wire.writes) == 6
    assert not wire.closed


@pytest.mark.parametrize("step", [1, 2, 3])
def test_it_does_not_matter_where_bytes_are_cut(step: int) -> None:
    parts = [PIPELINE[at : at + step] for at in range(0, len(PIPELINE), step)]
    assert at_once(*parts).writes == at_once(PIPELINE).writes


@pytest.mark.parametrize("name", ["a length", "chunks"])
def test_a_request_may_be_cut_in_two_anywhere(name: str) -> None:
    whole = review("u1") if name == "a length" else chunked("u1")
    expected = at_once(whole).writes

    async def each() -> None:
        app = an_app()
        for cut in range(1, len(whole)):
            wire = Wire(app)
            wire.send(whole[:cut])
            assert wire.writes == []
            wire.send(whole[cut:])
            assert wire.writes == expected

    ran(each)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, len(PIPELINE) - 1)))
def test_any_cuts_give_the_same_answers(cuts: set[int]) -> None:
    places = [0, *sorted(cuts), len(PIPELINE)]
    parts = [PIPELINE[begin:end] for begin, end in pairwise(places)]
    assert at_once(*parts).writes == at_once(PIPELINE).writes


def test_what_comes_behind_a_writer_that_waits_is_answered_after_it() -> None:
    async def work() -> None:
        look = asyncio.Event()

        async def refresh(seconds: float, source: str = "") -> Look:
            await look.wait()
            return CURRENT

        wire = Wire(an_app(refresh=refresh))
        wire.send(review("u1") + review("u2", "refresh") + review("u3"))
        assert uids(wire) == ["u1"]
        assert not wire.reading
        # What was under way when reading paused still comes.
        wire.send(review("u4"))
        look.set()
        await wire.answered(4)
        assert uids(wire) == ["u1", "u2", "u3", "u4"]
        assert wire.reading

    ran(work)


def test_a_big_review_waits_in_a_thread_and_its_connection_goes_on() -> None:
    async def work() -> None:
        app = an_app()
        wire = Wire(app)
        wire.send(review("u1", more="x" * REVIEW_THREAD_BYTES))
        assert (wire.writes, app.reviews) == ([], 1)
        await wire.answered()
        wire.send(review("u2"))
        assert uids(wire) == ["u1", "u2"]
        assert app.reviews == 0

    ran(work)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /validate HTTP/1.1\r\nConnection: close\r\n" + OPEN.partition(b"\r\n")[2] + b"\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
    ],
)
def test_a_client_that_wants_one_answer_gets_it_and_the_connection_ends(sent: bytes, status: int) -> None:
    wire = at_once(sent + HEALTH)
    assert [answer.status for answer in wire.answers()] == [status]
    assert wire.answers()[0].headers[b"connection"] == b"close"
    assert wire.closed


def test_while_draining_the_first_answer_ends_the_connection() -> None:
    async def work() -> None:
        records: list[Any] = []
        app = an_app(recorder=SimpleNamespace(put=records.append))
        wire = Wire(app)
        wire.send(review("u1"))
        app.drain()
        wire.send(review("u2") + review("u3"))
        assert uids(wire) == ["u1", "u2"]
        assert wire.answers()[-1].headers[b"connection"] == b"close"
        assert wire.closed
        # What nobody gets an answer to is not judged either.
        assert [record["uid"] for record in records] == ["u1", "u2"]

    ran(work)


def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    wire = at_once(HEALTH.replace(b"GET", b"HEAD"))
    assert wire.written.endswith(b"content-length: 2\r\n\r\n")


def test_a_client_that_waits_to_be_told_is_told_once() -> None:
    body = json.dumps(a_review("u1")).encode()
    head = request(body, headers=(JSON, EXPECTS)).removesuffix(body)
    wire = at_once(head, body[:5], body[5:])
    assert wire.writes[0] == CONTINUE
    assert wire.written.count(CONTINUE) == 1
    assert uids(wire) == ["u1"]
    assert CONTINUE not in at_once(head + body[:5], body[5:]).writes
    assert CONTINUE not in at_once(head.replace(b"HTTP/1.1", b"HTTP/1.0"), body).writes


def test_a_client_that_has_begun_with_its_chunks_is_not_told_again() -> None:
    head, _, chunks = chunked("u1").partition(b"\r\n\r\n")
    wire = at_once(head + b"\r\nExpect: 100-continue\r\n\r\n", chunks[:1], chunks[1:2], chunks[2:])
    assert wire.written.count(CONTINUE) == 1
    assert uids(wire) == ["u1"]


def test_a_client_is_not_told_to_go_on_before_the_answer_to_its_last_request() -> None:
    async def work() -> None:
        wire = Wire(an_app())
        wire.send(review("u1", "refresh") + request(b"{", headers=(JSON, EXPECTS))[:-1])
        assert wire.writes == []
        await wire.answered()
        await until(lambda: len(wire.writes) == 2)
        assert wire.writes[1] == CONTINUE
        wire.send(b"{")
        assert [answer.status for answer in wire.answers()] == [200, 400]

    ran(work)


def test_a_client_that_waits_to_be_told_gets_a_refusal_without_its_body() -> None:
    wire = at_once(request(b"{}", "/nowhere", headers=(JSON, EXPECTS))[:-2])
    assert [answer.status for answer in wire.answers()] == [404]
    assert wire.closed


def test_a_request_that_is_refused_anyway_is_read_to_its_end_and_the_connection_lives() -> None:
    wire = at_once(request(b"x" * 100, "/nowhere")[:-50], b"x" * 50 + review("u1"))
    assert [answer.status for answer in wire.answers()] == [404, 200]
    assert not wire.closed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The time of the loop that a connection sees."""
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(
        "webhook.server.protocol.asyncio.get_running_loop",
        lambda: SimpleNamespace(time=lambda: found.now, create_task=asyncio.ensure_future),
    )
    return found


def test_each_stage_has_its_time_counted_from_the_first_byte(clock: Any) -> None:
    async def work() -> None:
        body = json.dumps(a_review("u1", "refresh")).encode()
        whole = request(body, "/validate?timeout=2s")
        wire = Wire(an_app())
        protocol = wire.protocol
        assert protocol.until == 1000 + ADMISSION_KEEPALIVE_SECONDS
        for clock.now, byte in enumerate(whole[:10], 2000):
            wire.send(bytes([byte]))
        assert protocol.until == 2000 + HEADER_SECONDS
        wire.send(whole[10:-1])
        assert protocol.until == pytest.approx(2001.7)
        wire.send(whole[-1:])
        # As long as the application needs.
        assert protocol.until == float("inf")
        await wire.answered()
        await until(lambda: protocol.until < float("inf"))
        assert protocol.until == clock.now + ADMISSION_KEEPALIVE_SECONDS

    ran(work)


def test_a_client_that_says_nothing_is_let_go_without_a_word() -> None:
    async def work() -> None:
        for sent in ((), (HEALTH,), (HEALTH[:9],)):
            wire = Wire(an_app())
            wire.send(*sent)
            before = list(wire.writes)
            wire.protocol.late()
            assert wire.closed
            assert wire.writes == before
            assert wire.protocol.until == float("inf")

    ran(work)


def test_a_body_that_never_comes_ends_at_the_deadline() -> None:
    async def work() -> None:
        app = an_app()
        wire = Wire(app)
        wire.send(review("u1")[:-1])
        assert app.reviews == 1
        wire.protocol.late()
        assert [answer.status for answer in wire.answers()] == [503]
        assert wire.closed
        wire.send(b"}")
        wire.lose()
        assert (len(wire.answers()), app.reviews) == (1, 0)

    ran(work)


def test_a_refusal_whose_body_never_comes_ends_the_connection_too() -> None:
    async def work() -> None:
        wire = Wire(an_app())
        wire.send(request(b"x" * 100, "/nowhere")[:-50])
        wire.protocol.late()
        assert [answer.status for answer in wire.answers()] == [404]
        assert wire.answers()[0].headers[b"connection"] == b"close"
        assert wire.closed

    ran(work)


def test_a_client_that_does_not_read_is_not_read_nor_answered_and_let_go(clock: Any) -> None:
    async def work() -> None:
        wire = Wire(an_app())
        wire.protocol.pause_writing()
        wire.send(review("u1") + review("u2"))
        assert wire.writes == []
        assert not wire.reading
        assert wire.protocol.until == clock.now + WEBHOOK_TIMEOUT_SECONDS
        wire.protocol.resume_writing()
        assert uids(wire) == ["u1", "u2"]
        assert wire.reading
        wire.protocol.pause_writing()
        wire.protocol.late()
        assert wire.aborted

    ran(work)


def test_a_client_that_stops_reading_in_the_middle_of_its_answers_gets_no_more_of_them() -> None:
    async def work() -> None:
        wire = Wire(an_app())
        written = wire.write

        def full(data: bytes) -> None:
            written(data)
            wire.protocol.pause_writing()

        wire.write = full  # type: ignore[method-assign]
        wire.send(review("u1") + review("u2"))
        assert uids(wire) == ["u1"]
        assert not wire.reading

    ran(work)


def test_who_sends_endless_requests_ahead_of_its_answers_is_let_go() -> None:
    wire = at_once(HEALTH * 500)
    statuses = [answer.status for answer in wire.answers()]
    assert statuses[-1] == 400
    assert len(statuses) < 100
    assert wire.closed


def test_a_client_that_goes_away_gets_no_answer_and_leaves_nothing_behind() -> None:
    async def work() -> None:
        records: list[Any] = []
        look = asyncio.Event()

        async def refresh(seconds: float, source: str = "") -> Look:
            await look.wait()
            return CURRENT

        app = an_app(refresh=refresh, recorder=SimpleNamespace(put=records.append))
        waiting, half = Wire(app), Wire(app)
        waiting.send(review("u1", "refresh") + review("u2"))
        half.send(review("u3", more="x" * 2 * REVIEW_THREAD_BYTES)[:-1])
        assert app.reviews == 3
        waiting.lose()
        half.lose()
        assert waiting.connections == set()
        look.set()
        await until(lambda: app.reviews == 0)
        assert (waiting.writes, half.writes) == ([], [])
        # The write may have happened: its verdict is kept.
        assert [record["uid"] for record in records] == ["u1"]
        assert app.budget == type(app.budget)()

    ran(work)


def test_a_connection_above_the_limit_is_closed_unanswered_and_counted() -> None:
    async def work() -> None:
        app = an_app()
        others: set[Any] = {object() for _ in range(ADMISSION_CONNECTIONS)}
        wire = Wire(app, others)
        wire.send(HEALTH)
        assert wire.aborted
        assert wire.writes == []
        assert app.seat.row[COLUMN["refused"]] == 1
        wire.lose()
        assert len(others) == ADMISSION_CONNECTIONS

    ran(work)


def test_a_fault_of_ours_is_500_and_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        for part in ("refuse", "answer"):
            app = an_app()
            setattr(app, part, broken if part == "refuse" else broken_later)
            wire = Wire(app)
            wire.send(review("u1"))
            await wire.answered()
            assert [answer.status for answer in wire.answers()] == [500]
            assert wire.closed
            wire.lose()
            assert app.reviews == 0

    ran(work)
    assert caplog.text.count("ValueError") == 2


def broken(*_: Any) -> Any:
    raise ValueError("secret")


async def broken_later(*_: Any) -> Any:
    raise ValueError("secret")
