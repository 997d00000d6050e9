"""Decisions are kept in order, once and for all, and the trail itself says what is missing in it."""

from __future__ import annotations

import json
import multiprocessing
import stat
import threading
from pathlib import Path

import pytest

from reconciler.errors import StoreError
from reconciler.store.chain import HEAD_FILE, Head, noted_head
from reconciler.store.decisions import read_decisions, record, record_all
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.verify import verify


def decision(**more: object) -> bytes:
    base = {
        "time": "2030-01-01T00:00:00.000Z",
        "user": "mallory",
        "operation": "UPDATE",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "code": "held",
        "allowed": False,
    }
    return json.dumps(base | more).encode()


def test_decisions_come_back_newest_first_and_filtered(state: State) -> None:
    record(state, decision())
    record_all(state, [decision(name="api", code="same", allowed=True), decision(user="eve")])
    found, total = read_decisions(state, {}, 2)
    assert ([one["user"] for one in found], total) == (["eve", "mallory"], 3)
    assert [one["name"] for one in read_decisions(state, {"code": "same"})[0]] == ["api"]
    assert read_decisions(state, {"kind": "deployment", "user": "eve"})[1] == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"allowed": "yes", "code": "x", "time": "t"}',
        b'{"allowed": true, "code": 3, "time": "t"}',
        b'{"allowed": true, "code": "x"}',
        b"[" * 60_000,
        b'{"allowed": true, "code": "x", "time": "t", "pad": "' + b"x" * 70_000 + b'"}',
        b"\xff\xfe",
        b'{"allowed": true, "code": "cut", "time": "t"}',
        b'{"allowed": true, "code": "x", "time": "t", "worker": 3}',
        b'{"allowed": true, "code": "x", "time": "t", "worker": "w", "number": true}',
        b'{"allowed": true, "code": "x", "time": "t", "worker": "w", "number": 99999999999999999999}',
    ],
    ids=[
        *("empty", "cut", "a list", "nothing", "a word", "a number", "no time", "deep", "long", "not text"),
        *("a break", "no worker", "no number", "a huge number"),
    ],
)
def test_a_line_that_is_no_decision_is_refused_and_the_others_are_kept(state: State, line: bytes) -> None:
    with pytest.raises(StoreError, match="1 lines are not kept"):
        record_all(state, [decision(), line, decision()])
    assert (read_decisions(state)[1], verify(state).whole) == (2, True)


def test_the_database_refuses_to_alter_a_decision(state: State) -> None:
    record(state, decision())
    for statement in ("UPDATE decisions SET user = 'x'", "DELETE FROM decisions"):
        with pytest.raises(StoreError, match="append-only"), state.write() as connection:
            connection.exec_driver_sql(statement)
    assert read_decisions(state)[0][0]["user"] == "mallory"


def test_control_characters_of_a_user_name_are_escaped(state: State) -> None:
    record(state, decision(user="mal\x1b[31mlory"))
    assert read_decisions(state)[0][0]["user"] == "mal\\x1b[31mlory"


def numbered(*numbers: int, worker: str = "w1") -> list[bytes]:
    return [decision(worker=worker, number=number) for number in numbers]


def trail(state: State) -> list[tuple[str, int]]:
    """Code and number (of a gap: how many were lost), oldest first."""
    found, _ = read_decisions(state)
    return [(one["code"], one.get("number", one.get("lost"))) for one in reversed(found)]


def test_records_that_never_arrived_leave_a_gap_before_the_next_one(state: State) -> None:
    record_all(state, numbered(1, 2, 5))
    record_all(state, numbered(6, 9))
    assert trail(state) == [
        *(("held", n) for n in (1, 2)),
        ("gap", 2),
        ("held", 5),
        ("held", 6),
        ("gap", 2),
        ("held", 9),
    ]
    found = verify(state)
    assert (found.whole, found.lost, [(gap.seq, gap.lost) for gap in found.gaps]) == (True, 4, [(3, 2), (6, 2)])


def test_the_first_records_of_a_worker_can_be_missing_too(state: State) -> None:
    record_all(state, [*numbered(1), *numbered(3, worker="w2"), *numbered(2)])
    assert trail(state) == [("held", 1), ("gap", 2), ("held", 3), ("held", 2)]


def test_a_lost_batch_is_a_gap_also_after_a_restart(state: State, path: Path) -> None:
    record_all(state, numbered(1))
    state.close()
    again = open_state(sqlite_url(path))
    record_all(again, numbered(4))
    assert trail(again) == [("held", 1), ("gap", 2), ("held", 4)]
    again.close()


def test_what_another_replica_hands_on_counts_from_where_it_begins_and_once(state: State) -> None:
    def handed_on(*numbers: int) -> list[bytes]:
        return [decision(worker="w1", number=number, replica="pod-b") for number in numbers]

    record_all(state, handed_on(7, 8))
    record_all(state, handed_on(7, 8))
    record_all(state, [*handed_on(8, 9), *handed_on(12)])
    assert trail(state) == [("held", 7), ("held", 8), ("held", 9), ("gap", 2), ("held", 12)]


def test_records_without_a_number_leave_no_gaps(state: State) -> None:
    record_all(state, [decision(), *numbered(1), decision()])
    assert (verify(state).lost, verify(state).records) == (0, 3)


def write(path: Path, worker: str) -> None:
    """One of several processes that record at once."""
    state = open_state(sqlite_url(path))
    for number in range(1, 41, 2):
        record_all(state, numbered(number, number + 1, worker=worker))
    state.close()


def test_processes_that_write_at_once_make_one_chain(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(path, f"w{number}")) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(90)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    state = open_state(sqlite_url(path))
    found = verify(state)
    assert (found.records, found.whole, found.lost) == (120, True, 0)
    state.close()


def test_the_head_stands_beside_the_database_for_its_owner_alone(state: State, path: Path) -> None:
    record(state, decision())
    file = path.with_name(HEAD_FILE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    newest = read_decisions(state)[0][0]
    assert json.loads(file.read_text()) == {"default": {"seq": 1, "hash": newest["hash"]}}
    assert noted_head(state) == verify(state).head == Head(1, newest["hash"])


def test_clusters_have_chains_of_their_own(state: State) -> None:
    other = State(state.engine, "other")
    for one in (state, other, state, other, other):
        record(one, decision())
    assert [(found.records, found.whole) for found in (verify(state), verify(other))] == [(2, True), (3, True)]
    assert read_decisions(state)[0][0]["cluster"] == "default"


def test_a_check_that_began_before_the_first_record_finds_nothing_wrong(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    def then_the_first_comes(of: State) -> Head | None:
        if (head := noted_head(of)) is None:
            record(of, decision())
        return head

    monkeypatch.setattr("reconciler.store.verify.noted_head", then_the_first_comes)
    found = verify(state)
    assert (found.records, found.breaks) == (1, [])


def test_a_check_while_somebody_writes_finds_nothing_wrong(state: State, path: Path) -> None:
    writer = open_state(sqlite_url(path))
    done = threading.Event()

    def write_on() -> None:
        try:
            for number in range(1, 101):
                record_all(writer, numbered(number))
        finally:
            done.set()

    thread = threading.Thread(target=write_on)
    thread.start()
    while not done.is_set():
        assert verify(state).breaks == []
    thread.join()
    assert verify(state).records == 100
    writer.close()
