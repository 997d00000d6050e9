"""Holds the admission server's routes and statuses over a connection in memory, with everything behind it stubbed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from typing import Any

import pytest

from reconciler.limits import ADMISSION_REVIEWS, REVIEW_THREAD_BYTES, REVIEW_WIRE_BYTES, WEBHOOK_TIMEOUT_SECONDS
from tests.support import stub_admission as stub
from tests.support.admission import a_review
from tests.support.wire import JSON, Answer, Wire, request
from webhook.decision.look import CURRENT, Look
from webhook.decision.types import Decision
from webhook.server.app import AdmissionApp, budget_seconds, parse_path
from webhook.server.board import COLUMN, Board, Seat
from webhook.server.body import Body, BodyBudget, OverloadedError
from webhook.server.judge import Endpoint, Judge

OPEN = request().removesuffix(b"content-length: 0\r\n\r\n")


class Records(list[dict[str, object]]):
    """A recorder that keeps what it is given."""

    def put(self, record: dict[str, object]) -> None:
        self.append(record)


class Replies(list[int]):
    """A meter that keeps the statuses of replies."""

    def decided(self, decision: Decision, seconds: float) -> None:
        """Not looked at."""

    def replied(self, status: int) -> None:
        self.append(status)


class NoFeed:
    """There is no snapshot yet."""

    def current(self) -> None:
        return None

    def poll(self) -> None:
        return None


def judge(**changes: Any) -> Judge:
    async def refresh(seconds: float, source: str = "") -> Look:
        return CURRENT

    parts: dict[str, Any] = {
        "feed": stub.StubFeed(),
        "decide": stub.decide,
        "decode": stub.decode,
        "encode": stub.encode,
        "refresh": refresh,
        "recorder": Records(),
        "clock": lambda: 1_700_000_000.25,
    }
    return Judge(**(parts | changes))


def ask(
    app: AdmissionApp,
    body: bytes = b"",
    *,
    path: str = "/validate",
    method: str = "POST",
    headers: Iterable[tuple[bytes, bytes]] = (JSON,),
) -> Answer:
    """One request over a connection of its own."""

    async def asked() -> Answer:
        wire = Wire(app)
        wire.send(request(body, path, method, headers))
        return (await wire.answered())[0]

    return asyncio.run(asked())


def answer(body: bytes) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(body)["response"]
    return response


def dumped(review: Any) -> bytes:
    return json.dumps(review).encode()


def test_an_allowed_review_is_answered_with_its_uid() -> None:
    status, headers, body = ask(AdmissionApp(judge()), dumped(a_review("u7")))
    assert (status, headers[b"content-type"]) == (200, b"application/json")
    assert (answer(body)["uid"], answer(body)["allowed"]) == ("u7", True)


def test_a_denied_review_is_http_200_with_status_403_inside() -> None:
    status, _, body = ask(AdmissionApp(judge()), dumped(a_review(verdict="deny")))
    assert status == 200
    assert answer(body)["status"]["code"] == 403
    assert answer(body)["status"]["message"] == stub.MESSAGE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/validate", (True, None)),
        ("/validate/apps/v1", (True, Endpoint("apps", "v1"))),
        ("/validate/core/v1", (True, Endpoint("", "v1"))),
        ("/validate/", (False, None)),
        ("/validate/apps", (False, None)),
        ("/validate//v1", (False, None)),
        ("/validate/apps/v1/x", (False, None)),
        ("/metrics", (False, None)),
    ],
)
def test_paths_name_a_group_and_version_or_none(path: str, expected: tuple[bool, Endpoint | None]) -> None:
    assert parse_path(path) == expected


def test_a_review_at_the_path_of_its_version_is_judged() -> None:
    assert ask(AdmissionApp(judge()), dumped(a_review()), path="/validate/apps/v1")[0] == 200


def test_a_review_at_the_path_of_another_version_is_400() -> None:
    status, _, body = ask(AdmissionApp(judge()), dumped(a_review()), path="/validate/apps/v1beta1")
    assert status == 400
    assert "another group and version" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/validate", "GET", 405), ("/healthz", "POST", 405), ("/nowhere", "POST", 404), ("/", "GET", 404)],
)
def test_wrong_methods_and_paths_have_their_status(path: str, method: str, status: int) -> None:
    answered, headers, body = ask(AdmissionApp(judge()), path=path, method=method)
    assert answered == json.loads(body)["status"] == status
    assert (b"allow" in headers) == (status == 405)


@pytest.mark.parametrize("content_type", [None, b"text/plain", b"application/jsonp", b"application/yaml"])
def test_a_body_that_is_not_said_to_be_json_is_415(content_type: bytes | None) -> None:
    headers = [(b"content-type", content_type)] if content_type else []
    assert ask(AdmissionApp(judge()), dumped(a_review()), headers=headers)[0] == 415


def test_json_with_a_charset_is_json() -> None:
    headers = [(b"content-type", b"Application/JSON; charset=utf-8")]
    assert ask(AdmissionApp(judge()), dumped(a_review()), headers=headers)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"request":{}}', b"\xff"])
def test_a_malformed_review_is_400_in_one_line(body: bytes) -> None:
    status, headers, answered = ask(AdmissionApp(judge()), body)
    assert (status, headers[b"content-type"]) == (400, b"application/problem+json")
    assert answered.count(b"\n") == 1
    assert answered.endswith(b"\n")


def test_a_declared_length_above_the_limit_is_413_before_anything_is_read() -> None:
    async def asked() -> Wire:
        wire = Wire(AdmissionApp(judge()))
        wire.send(OPEN + b"content-length: %d\r\n\r\n" % (REVIEW_WIRE_BYTES + 1))
        return wire

    wire = asyncio.run(asked())
    assert [answer.status for answer in wire.answers()] == [413]
    assert wire.answers()[0].headers[b"connection"] == b"close"
    assert wire.closed


def test_a_chunked_body_is_cut_at_the_limit_and_not_read_on() -> None:
    app, part = AdmissionApp(judge()), b" " * (REVIEW_WIRE_BYTES // 4)
    chunk = b"%x\r\n%b\r\n" % (len(part), part)

    async def asked() -> Wire:
        wire = Wire(app)
        wire.send(OPEN + b"transfer-encoding: chunked\r\n\r\n")
        for number in range(8):
            assert wire.closed is (number > 4)
            wire.send(chunk)
        return wire

    wire = asyncio.run(asked())
    assert [answer.status for answer in wire.answers()] == [413]
    assert (app.reviews, app.budget) == (0, BodyBudget())


def test_big_bodies_share_a_budget_and_give_it_back() -> None:
    budget = BodyBudget(REVIEW_THREAD_BYTES + 100)
    with budget.share() as first, budget.share() as second:
        first.grow(REVIEW_THREAD_BYTES)
        assert budget.left == REVIEW_THREAD_BYTES + 100
        first.grow(REVIEW_THREAD_BYTES + 1)
        first.grow(REVIEW_THREAD_BYTES + 50)
        assert budget.left == 50
        with pytest.raises(OverloadedError):
            second.grow(REVIEW_THREAD_BYTES + 1)
    assert budget.left == REVIEW_THREAD_BYTES + 100


def test_a_body_that_cannot_be_held_holds_nothing_while_the_rest_of_it_comes() -> None:
    budget = BodyBudget(REVIEW_THREAD_BYTES + 100)
    body = Body(budget.share())
    for _ in range(3):
        body.take(b"x" * (REVIEW_THREAD_BYTES // 2 + 50))
    assert body.dropped
    assert budget.left == REVIEW_THREAD_BYTES + 100
    assert len(body.joined()) < REVIEW_THREAD_BYTES


def test_a_body_that_cannot_be_held_is_a_denial_since_a_status_would_admit_it() -> None:
    app = AdmissionApp(judge())
    app.budget = BodyBudget(REVIEW_THREAD_BYTES)
    review = a_review("big")
    review["request"]["object"]["data"] = "x" * REVIEW_THREAD_BYTES * 2
    body = dumped(review)
    status, _, answered = ask(app, body)
    response = answer(answered)
    assert (status, response["uid"], response["allowed"]) == (200, "big", False)
    assert "no change is admitted unjudged" in response["status"]["message"]
    assert app.budget == BodyBudget(REVIEW_THREAD_BYTES)


def test_a_big_review_is_judged_in_a_thread_with_the_same_answer() -> None:
    review = a_review("big", verdict="deny")
    review["request"]["object"]["data"] = "x" * REVIEW_THREAD_BYTES
    status, _, body = ask(AdmissionApp(judge()), dumped(review))
    assert (status, answer(body)["uid"], answer(body)["allowed"]) == (200, "big", False)


def test_at_most_two_big_reviews_are_judged_at_a_time() -> None:
    running, most = 0, 0

    def decide(*_: Any, **__: Any) -> Decision:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return Decision(True, "conforms")

    review = a_review()
    review["request"]["object"]["data"] = "x" * REVIEW_THREAD_BYTES
    body = dumped(review)

    async def many() -> None:
        one = judge(decide=decide)
        deadline = asyncio.get_running_loop().time() + 10
        await asyncio.gather(*(one.review(body, None, deadline) for _ in range(6)))

    asyncio.run(many())
    assert most == 2


def test_line_32_a_decision_that_raises_is_a_denial_and_says_nothing_of_the_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        status, _, body = ask(AdmissionApp(judge()), dumped(a_review("u9", verdict="boom")))
    assert (status, answer(body)["uid"], answer(body)["allowed"]) == (200, "u9", False)
    assert "internal-error" in answer(body)["status"]["message"]
    assert "u9" in caplog.text
    assert "ValueError in stub_admission.py:" in caplog.text
    assert stub.SECRET not in caplog.text + body.decode()


def test_a_reader_that_fails_unexpectedly_denies_rather_than_fails_open() -> None:
    def decode(_: bytes) -> Any:
        raise RecursionError

    status, _, body = ask(AdmissionApp(judge(decode=decode)), dumped(a_review("u10")))
    assert (status, answer(body)["uid"], answer(body)["allowed"]) == (200, "u10", False)
    assert ask(AdmissionApp(judge(decode=decode)), b"{")[0] == 400


def test_an_object_nested_too_deeply_is_a_denial_since_a_status_would_admit_it() -> None:
    from webhook.decision.review import decode

    app = AdmissionApp(judge(decode=decode))
    for depth in (300, 5_000):
        nested: bytes = b'{"a":' * depth + b"1" + b"}" * depth
        body = dumped(a_review("deep", object=0)).replace(b'"object": 0', b'"object": ' + nested)
        status, _, answered = ask(app, body)
        assert (status, answer(answered)["uid"], answer(answered)["allowed"]) == (200, "deep", False)
        assert "nested too deeply" in answer(answered)["status"]["message"]


def test_a_decision_that_takes_too_long_is_a_denial_before_the_api_server_gives_up() -> None:
    review = a_review("late", verdict="slow")
    review["request"]["object"]["data"] = "x" * REVIEW_THREAD_BYTES
    began = time.monotonic()
    status, _, body = ask(AdmissionApp(judge()), dumped(review), path="/validate?timeout=1s")
    assert (status, answer(body)["uid"], answer(body)["allowed"]) == (200, "late", False)
    assert "in time" in answer(body)["status"]["message"]
    assert time.monotonic() - began < 1.5


def test_an_answer_that_cannot_be_written_is_a_denial() -> None:
    def encode(uid: str, decision: Decision) -> bytes:
        if decision.code != "internal-error":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return stub.encode(uid, decision)

    status, _, body = ask(AdmissionApp(judge(encode=encode)), dumped(a_review("u11")))
    assert (status, answer(body)["allowed"]) == (200, False)


def test_without_a_snapshot_the_client_is_told_to_try_again_over_a_new_connection() -> None:
    status, headers, body = ask(AdmissionApp(judge(feed=NoFeed())), dumped(a_review()))
    assert (status, headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
    assert json.loads(body)["detail"] == "no snapshot yet"


def test_line_40_health_answers_anyone_and_readiness_waits_for_a_snapshot() -> None:
    ready, waiting = AdmissionApp(judge()), AdmissionApp(judge(feed=NoFeed()))
    assert ask(ready, path="/healthz", method="GET", headers=())[::2] == (200, b"ok")
    assert ask(ready, path="/readyz", method="GET", headers=())[::2] == (200, b"ok")
    assert ask(waiting, path="/healthz", method="GET", headers=())[0] == 200
    assert ask(waiting, path="/readyz", method="GET", headers=())[0] == 503


def test_while_draining_reviews_are_judged_and_connections_end() -> None:
    app = AdmissionApp(judge())
    app.drain()
    assert ask(app, path="/readyz", method="GET")[0] == 503
    status, headers, _ = ask(app, dumped(a_review()))
    assert (status, headers[b"connection"]) == (200, b"close")


def test_a_worker_with_too_many_reviews_in_hand_sends_the_next_ones_away() -> None:
    app = AdmissionApp(judge(meter=(meter := Replies())))
    app.budget.shares = ADMISSION_REVIEWS
    status, headers, _ = ask(app, dumped(a_review()))
    assert (status, headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
    assert ask(app, path="/readyz", method="GET", headers=())[0] == 200
    app.budget.shares -= 1
    assert ask(app, dumped(a_review()))[0] == 200
    assert (app.reviews, meter) == (ADMISSION_REVIEWS - 1, [503])


def test_a_review_that_ends_in_any_way_is_no_longer_in_hand() -> None:
    app = AdmissionApp(judge())
    for body in (dumped(a_review()), dumped(a_review(verdict="boom")), b"{"):
        ask(app, body)
    ask(app, dumped(a_review()), headers=())
    assert app.reviews == 0


@pytest.mark.parametrize("column", ["beat", "blocked"])
def test_while_any_worker_is_blocked_no_worker_is_ready_and_each_is_healthy(column: str) -> None:
    board = Board(2)
    other = board.row(2)
    app = AdmissionApp(judge(), seat=Seat(board))
    other[COLUMN["beat"]] = time.monotonic()
    assert ask(app, path="/readyz", method="GET", headers=())[::2] == (200, b"ok")
    other[COLUMN[column]] = time.monotonic() - WEBHOOK_TIMEOUT_SECONDS - 1
    assert ask(app, path="/readyz", method="GET", headers=())[::2] == (503, b"a worker is blocked")
    assert ask(app, path="/healthz", method="GET", headers=())[0] == 200


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 2.7), ("timeout=3s", 2.7), ("timeout=1s", 0.7), ("timeout=30s", 2.7), ("timeout=0s", 2.7), ("timeout=x", 2.7),
     ("timeout=-1s", 2.7), ("a=b&timeout=2s", 1.7), ("timeout=99999999999999999999s", 2.7), ("timeout=\u0663s", 2.7)],
)  # fmt: skip
def test_line_08_the_deadline_is_that_of_the_api_server_less_a_margin(query: str, seconds: float) -> None:
    assert budget_seconds(query) == pytest.approx(seconds)


def test_a_write_that_needs_a_refresh_is_judged_again_after_it() -> None:
    given: list[float] = []

    async def refresh(seconds: float, source: str = "") -> Look:
        given.append(seconds)
        return CURRENT

    app = AdmissionApp(judge(refresh=refresh))
    status, _, body = ask(app, dumped(a_review(verdict="refresh")), path="/validate?timeout=2s")
    assert (status, answer(body)["allowed"]) == (200, False)
    assert len(given) == 1
    assert 1.5 < given[0] <= 1.7


@pytest.mark.parametrize("source", ["shop", ""])
def test_a_look_is_asked_for_at_the_source_that_declares_the_object(source: str) -> None:
    asked: list[str] = []

    async def refresh(seconds: float, source: str = "") -> Look:
        assert seconds > 0
        asked.append(source)
        return CURRENT

    def decide(*_: Any, look: Look, **__: Any) -> Decision:
        audit = {"source": source} if source else {}
        return Decision(False, "drift", "no", audit=audit, needs_refresh=not look.asked)

    ask(AdmissionApp(judge(refresh=refresh, decide=decide)), dumped(a_review()))
    assert asked == [source]


def test_a_review_whose_body_is_not_whole_in_time_is_503() -> None:
    app = AdmissionApp(judge(meter=(meter := Replies())))
    reply = app.late()
    assert (reply.status, reply.close, meter) == (503, True, [503])


def test_guarded_decisions_are_recorded_and_dry_runs_leave_no_trace() -> None:
    records = Records()
    app = AdmissionApp(judge(recorder=records))
    ask(app, dumped(a_review("u1", verdict="deny")))
    ask(app, dumped(a_review("u2", verdict="deny", dryRun=True)))
    ask(app, dumped(a_review("u3", verdict="refresh")))
    assert [record["uid"] for record in records] == ["u1", "u3"]


def test_a_record_that_fails_does_not_fail_the_review() -> None:
    class Broken:
        def put(self, record: dict[str, object]) -> None:
            raise RuntimeError(str(record))

    assert ask(AdmissionApp(judge(recorder=Broken())), dumped(a_review()))[0] == 200


def test_background_work_lives_as_long_as_the_application() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("began")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    async def live() -> None:
        app = AdmissionApp(judge(), (work,), lambda: seen.append("last"))
        app.start()
        await asyncio.sleep(0)
        app.stop()
        await asyncio.sleep(0)

    asyncio.run(live())
    assert seen == ["began", "last", "ended"]
