"""Holds what a look-up costs: rows are found by an index, and a key is compared without reading the row behind it."""

from __future__ import annotations

import sqlite3

import pytest

from reconciler.snapshot import rows

QUERIES = {
    "an object": rows.FIND,
    "its form": rows.READ,
    "an object by its ref": rows.BY_REF,
    "its earlier forms": rows.EARLIER,
    "a version": rows.VERSION,
    "the objects of a kind": rows.OF_KIND,
    "policies of a kind": rows.EXCLUSIVE,
    "policies in a namespace": rows.POLICIES.format(rows.IN_NAMESPACE),
    "policies of a resource": rows.POLICIES.format(rows.OF_RESOURCE),
    "some objects in a namespace": rows.REFS.format(rows.IN_NAMESPACE, 5),
}
WITHOUT_ROWS = ("a version", "policies of a kind", "policies in a namespace", "some objects in a namespace")


@pytest.fixture
def database() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.executescript(rows.SCHEMA)
    return database


def plan(database: sqlite3.Connection, name: str) -> str:
    sql = QUERIES[name]
    steps = database.execute(f"EXPLAIN QUERY PLAN {sql}", ("",) * sql.count("?")).fetchall()
    return "\n".join(step[-1] for step in steps)


@pytest.mark.parametrize("name", QUERIES)
def test_no_look_up_reads_the_whole_table(database: sqlite3.Connection, name: str) -> None:
    assert "SEARCH" in plan(database, name)
    assert "SCAN" not in plan(database, name)


@pytest.mark.parametrize("name", WITHOUT_ROWS)
def test_what_stands_in_an_index_is_answered_from_it(database: sqlite3.Connection, name: str) -> None:
    assert "COVERING INDEX" in plan(database, name)


def test_big_rows_are_not_their_own_index(database: sqlite3.Connection) -> None:
    """SQLite reads an entry of a table without rowids whole to compare its key: megabytes, at each step of a search."""
    tables = database.execute("SELECT name, wr FROM pragma_table_list WHERE name IN ('objects', 'earlier')").fetchall()
    assert dict(tables) == {"objects": 0, "earlier": 0}
