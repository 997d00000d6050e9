"""What master and workers tell each other by the numbers that they share."""

from __future__ import annotations

import asyncio
import os
from typing import get_args

import pytest

from webhook.decision.types import Code, Decision
from webhook.server import threads as module
from webhook.server.board import BOUNDS, BUCKET, COLUMN, DECISION, STATUS, Board, Row
from webhook.server.meter import RowMeter
from webhook.server.threads import Threads


def beating(board: Board, number: int, at: float = 100.0) -> Row:
    row = board.row(number)
    row[COLUMN["beat"]] = at
    return row


def test_every_decision_code_has_a_place() -> None:
    assert set(DECISION) == {(code, allowed) for code in get_args(Code) for allowed in (True, False)}


def test_no_two_numbers_share_a_place() -> None:
    columns = [*DECISION.values(), *(BUCKET + number for number in range(len(BOUNDS) + 1))]
    columns += [*STATUS.values(), *COLUMN.values()]
    assert sorted(columns) == list(range(len(columns)))
    assert len(Board().row(0)) == len(columns)


def test_rows_do_not_overlap() -> None:
    board = Board(2)
    for number in range(5):
        row = board.row(number)
        for column in range(len(row)):
            row[column] = number
    assert [set(board.row(number)) for number in range(5)] == [{float(number)} for number in range(5)]


def test_what_a_child_counts_the_parent_sees() -> None:
    board = Board()
    child = os.fork()
    if not child:
        RowMeter(board.row(1)).decided(Decision(True, "conforms"), 0.1)
        os._exit(0)
    os.waitpid(child, 0)
    assert board.total(DECISION["conforms", True]) == 1


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.00025, 0), (0.0003, 1), (2.5, 12), (2.6, 13), (99.0, 13)])
def test_a_time_is_counted_in_the_first_bucket_that_holds_it(seconds: float, bucket: int) -> None:
    board = Board()
    RowMeter(board.row(1)).decided(Decision(False, "drift"), seconds)
    assert [board.total(BUCKET + number) for number in range(14)] == [float(number == bucket) for number in range(14)]
    assert board.total(COLUMN["seconds"]) == seconds


def test_a_status_that_nobody_expects_is_counted_all_the_same() -> None:
    board = Board()
    meter = RowMeter(board.row(1))
    for status in (503, 418, 500):
        meter.replied(status)
    assert {status: board.total(column) for status, column in STATUS.items() if board.total(column)} == {503: 1, 0: 2}


def test_a_worker_that_ended_keeps_its_counts_and_says_nothing_of_itself() -> None:
    board = Board(2)
    row = beating(board, 1)
    row[COLUMN["connections"]], row[COLUMN["lost"]] = 7, 3
    board.clear(1)
    assert (board.total(COLUMN["lost"]), board.total(COLUMN["connections"])) == (3, 0)
    assert board.living() == []


def test_a_new_worker_gets_a_row_of_its_own_while_there_are_some() -> None:
    board = Board(2)
    assert [board.free(set()), board.free({1}), board.free({1, 2, 4})] == [1, 2, 3]
    assert board.free({1, 2, 3, 4}) == 4


def test_a_worker_is_blocked_that_has_not_turned_for_long_or_says_so() -> None:
    board = Board(2)
    assert not board.blocked(100.0, 3.0)
    row = beating(board, 1, 100.0)
    beating(board, 2, 102.0)
    assert not board.blocked(103.0, 3.0)
    assert board.blocked(103.1, 3.0)
    board.clear(1)
    assert not board.blocked(103.1, 3.0)
    row = beating(board, 1, 103.0)
    row[COLUMN["blocked"]] = 1
    assert board.blocked(103.1, 3.0)


def test_threads_are_blocked_when_all_places_are_taken_and_none_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)

    async def story() -> None:
        nonlocal now
        threads = Threads(2)
        await threads.acquire()
        now = 110.0
        assert not threads.blocked()
        await threads.acquire()
        assert not threads.blocked()
        now = 113.5
        assert threads.blocked()
        threads.release()
        assert not threads.blocked()
        await threads.acquire()
        assert not threads.blocked()

    asyncio.run(story())
