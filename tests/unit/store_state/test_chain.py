"""Whatever is done to the records behind our back shows: to one row anywhere, to the end, to the head beside them."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.store.chain import HEAD_FILE, Head, beginning
from reconciler.store.decisions import read_decisions, record, record_all
from reconciler.store.schema import DECISIONS
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.verify import Verification, verify
from tests.unit.store_state.test_decisions import decision, numbered

COLUMNS = [column.name for column in DECISIONS.columns]
LENGTH = 6


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """The database as somebody has it who can write the file: no trigger holds them."""
    with closing(sqlite3.connect(path)) as connection:
        for verb in ("update", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS decisions_no_{verb}")
        yield connection
        connection.commit()


def filled(path: Path) -> State:
    state = open_state(sqlite_url(path))
    record_all(state, [decision(user=f"user{number}", worker="w", number=number) for number in range(1, LENGTH + 1)])
    return state


def rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM decisions ORDER BY rowid").fetchall()


def places(found: Verification) -> list[int]:
    return [one.seq for one in found.breaks]


texts = st.text(st.characters(codec="utf-8"), max_size=20)
cells = st.one_of(texts, st.integers(-10, 10), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=5))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, LENGTH), st.sampled_from(COLUMNS), cells)
def test_any_changed_cell_of_any_row_is_found(seq: int, column: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        state = filled(path)
        assert verify(state).whole
        before = rows(path)
        with by_hand(path) as connection:
            connection.execute(f'UPDATE OR IGNORE decisions SET "{column}" = ? WHERE seq = ?', (value, seq))  # noqa: S608 - our own names
        changed = rows(path) != before
        assert verify(state).whole is not changed
        state.close()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, LENGTH), st.data())
def test_any_changed_byte_of_a_body_is_found_at_its_place(seq: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        state = filled(path)
        with by_hand(path) as connection:
            body = connection.execute("SELECT body FROM decisions WHERE seq = ?", (seq,)).fetchone()[0]
            at = data.draw(st.integers(0, len(body) - 1))
            new = body[:at] + ("x" if body[at] != "x" else "y") + body[at + 1 :]
            connection.execute("UPDATE decisions SET body = ? WHERE seq = ?", (new, seq))
        assert set(places(verify(state))) == {seq}
        state.close()


@pytest.mark.parametrize("seq", range(1, LENGTH + 1))
def test_a_row_that_is_taken_out_is_missed(state: State, path: Path, seq: int) -> None:
    filled(path).close()
    with by_hand(path) as connection:
        connection.execute("DELETE FROM decisions WHERE seq = ?", (seq,))
    found = verify(state)
    assert places(found) == [seq + 1 if seq < LENGTH else LENGTH]
    assert "gone" in found.breaks[0].reason


def test_a_row_that_is_taken_out_and_the_rest_moved_up_is_missed(state: State, path: Path) -> None:
    filled(path).close()
    with by_hand(path) as connection:
        connection.execute("DELETE FROM decisions WHERE seq = 3")
        for seq in range(4, LENGTH + 1):
            connection.execute("UPDATE decisions SET seq = ? WHERE seq = ?", (seq - 1, seq))
    assert not verify(state).whole


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 5), (5, 6)])
def test_rows_that_change_places_are_found(state: State, path: Path, one: int, other: int) -> None:
    filled(path).close()
    with by_hand(path) as connection:
        for old, new in ((one, 100), (other, one), (100, other)):
            connection.execute("UPDATE decisions SET seq = ? WHERE seq = ?", (new, old))
    assert {one, other} <= set(places(verify(state)))


def test_a_row_that_is_put_in_is_found(state: State, path: Path) -> None:
    filled(path).close()
    with by_hand(path) as connection:
        listed = ", ".join(f'"{name}"' for name in COLUMNS)
        values = ", ".join("7" if name == "seq" else f'"{name}"' for name in COLUMNS)
        connection.execute(f"INSERT INTO decisions ({listed}) SELECT {values} FROM decisions WHERE seq = 2")  # noqa: S608
    assert places(verify(state)) == [7]


def rewrite(path: Path, first: int, last: int = LENGTH) -> None:
    """Change records and make their hashes right again, as whoever knows our code can."""
    with by_hand(path) as connection:
        found = connection.execute("SELECT seq, body, hash FROM decisions ORDER BY seq").fetchall()
        head = Head(first - 1, found[first - 2][2]) if first > 1 else beginning("default")
        for seq, body, _ in found[first - 1 : last]:
            new = body.replace(':"user', ':"nobody')
            head = head.then(new)
            connection.execute(
                "UPDATE decisions SET body = ?, hash = ?, user = ? WHERE seq = ?",
                (new, head.hash, json.loads(new)["user"], seq),
            )


@pytest.mark.parametrize("seq", range(1, LENGTH))
def test_a_changed_record_with_a_hash_of_its_own_is_found_at_the_next_one(state: State, path: Path, seq: int) -> None:
    filled(path).close()
    rewrite(path, seq, seq)
    assert places(verify(state)) == [seq + 1]


def test_a_chain_that_is_made_anew_does_not_end_at_the_noted_head(state: State, path: Path) -> None:
    filled(path).close()
    rewrite(path, 3)
    found = verify(state)
    assert [(one.seq, one.reason) for one in found.breaks] == [(LENGTH, "it is another one than was noted")]


def test_a_chain_and_head_that_are_made_anew_do_not_hold_a_head_that_was_kept_elsewhere(
    state: State, path: Path
) -> None:
    filled(path).close()
    kept = verify(state).head
    rewrite(path, 3)
    last = read_decisions(state)[0][0]
    path.with_name(HEAD_FILE).write_text(json.dumps({"default": {"seq": LENGTH, "hash": last["hash"]}}))
    assert verify(state).whole
    assert places(verify(state, kept)) == [LENGTH]


def test_a_head_kept_elsewhere_holds_while_the_chain_grows(state: State) -> None:
    record(state, decision())
    kept = verify(state).head
    record_all(state, [decision(), decision()])
    assert verify(state, kept).whole
    assert places(verify(state, Head(9, kept.hash))) == [9]


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"default": {"seq": "x", "hash": 3}}', '{"default": 3}'])
def test_a_head_that_is_gone_or_no_head_is_told(state: State, path: Path, text: str | None) -> None:
    filled(path).close()
    path.with_name(HEAD_FILE).unlink()
    if text is not None:
        path.with_name(HEAD_FILE).write_text(text)
    found = verify(state)
    assert [one.reason for one in found.breaks] == [f"{HEAD_FILE} is gone or damaged: nothing says where the end is"]
    record(state, decision())
    assert read_decisions(state)[0][1]["reason"] == "the head beside the database is gone"


def test_writing_on_does_not_heal_what_was_cut_off_at_the_end(state: State, path: Path) -> None:
    filled(path).close()
    with by_hand(path) as connection:
        connection.execute("DELETE FROM decisions WHERE seq > 4")
    record_all(state, numbered(1, worker="w2"))
    record_all(state, numbered(2, worker="w2"))
    found = verify(state)
    assert [(one.seq, one.reason) for one in found.breaks] == [
        (5, "written after a break: records at the end are gone")
    ]
    assert (found.records, found.lost, found.head.seq) == (7, 2, 7)


def test_writing_on_does_not_heal_a_rewritten_end(state: State, path: Path) -> None:
    filled(path).close()
    rewrite(path, 3)
    record(state, decision())
    assert [one.reason for one in verify(state).breaks] == [
        f"written after a break: record {LENGTH} is another one than was noted"
    ]


def test_an_empty_record_is_whole(state: State) -> None:
    found = verify(state)
    assert (found.whole, found.records, found.lost, found.head.seq) == (True, 0, 0, 0)
