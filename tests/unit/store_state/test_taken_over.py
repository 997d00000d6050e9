"""A store of an earlier version is taken over with all that it holds, and one of a later version is left alone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select, update

from reconciler.errors import StoreError
from reconciler.report.drift import DriftChange, DriftItem
from reconciler.store.days import read_days
from reconciler.store.decisions import read_decisions, record
from reconciler.store.findings import put_findings, read_findings
from reconciler.store.healing import read_healing
from reconciler.store.history import add_events, read_history, read_in_sync
from reconciler.store.schema import ADDED_TO, DAYS, DECISIONS, HEALING, META, SCHEMA_VERSION
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.verify import verify

# The tables of each version that were new in it.
NEW = {"7": (DAYS, HEALING)}
WEB = DriftItem(
    *("web", "one", "apps/v1", "Deployment", "shop", "web", "drifted"),
    changes=(DriftChange("/spec/replicas", "replace", 1, 5),),
    first_seen="2030-01-01T00:00:00Z",
    last_seen="2030-01-01T00:00:00Z",
)
DECISION = {"allowed": False, "code": "held", "time": "2030-01-01T00:00:00.000Z", "namespace": "shop"}


@pytest.fixture
def six(state: State) -> State:
    """A store as version 6 left it: with a finding, an end that has no code yet, and a record of a decision."""
    put_findings(state, [WEB])
    record(state, json.dumps(DECISION).encode())
    ended = {"reason": "as Git says", "state": "drifted", "fingerprint": "one"}
    let_go = {"reason": "not guarded", "state": "drifted", "fingerprint": "one"}
    with state.write() as connection:
        add_events(connection, state.cluster, [("ended", "resolved", "2030-01-01T00:00:09Z", ended)])
        add_events(connection, state.cluster, [("let-go", "resolved", "2030-01-01T00:00:09Z", let_go)])
        for table in NEW["7"]:
            table.drop(connection)
        connection.execute(update(META).where(META.c.key == "schema").values(value="6"))
    return state


def test_a_store_of_version_6_is_taken_over_with_all_that_it_holds(six: State) -> None:
    assert (SCHEMA_VERSION, "6" in ADDED_TO) == ("7", True)
    found = open_state(six.engine.url)
    assert [one["name"] for one in read_findings(found)[0]] == ["web"]
    assert [event["event"] for event in read_history(found, "web")] == ["detected"]
    assert read_decisions(found)[1] == 1
    with found.read() as connection:
        assert {table.name for table in NEW["7"]} <= set(inspect(connection).get_table_names())
        assert connection.execute(META.select().where(META.c.key == "schema")).one().value == "7"
    found.close()


def test_ends_from_before_they_had_a_code_are_understood(six: State) -> None:
    found = open_state(six.engine.url)
    assert read_in_sync(found, ["ended", "let-go"]) == {"ended": "2030-01-01T00:00:04Z"}
    found.close()


def test_what_was_not_counted_then_is_not_said_to_be_nothing(six: State) -> None:
    found = open_state(six.engine.url)
    assert not any(one.counted for one in read_days(found, "2030-01-02"))
    put_findings(found, [WEB, DriftItem(**{**_fields(WEB), "id": "new", "name": "new"})])
    (day,) = read_days(found, "2030-01-01", 1)
    assert (day.found, day.counted) == (1, True)
    assert read_healing(found) == {}
    found.close()


def _fields(item: DriftItem) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__slots__}


def test_the_record_of_decisions_stays_append_only_and_whole(six: State) -> None:
    found = open_state(six.engine.url)
    record(found, json.dumps(DECISION).encode())
    assert verify(found).whole
    with pytest.raises(StoreError, match="append-only"), found.write() as connection:
        connection.execute(update(DECISIONS).values(code="other"))
    found.close()


@pytest.mark.parametrize("version", ["8", "10", "", "six"])
def test_a_store_of_another_version_is_refused_and_not_touched(state: State, path: Path, version: str) -> None:
    put_findings(state, [WEB])
    with state.write() as connection:
        for table in NEW["7"]:
            table.drop(connection)
        connection.execute(update(META).where(META.c.key == "schema").values(value=version))
    state.close()
    with pytest.raises(StoreError, match=f"has format {version or 'unknown'}, this version of Setscrew reads format 7"):
        open_state(sqlite_url(path))
    with sqlite3.connect(path) as raw:
        names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (version,)
    raw.close()
    assert names.isdisjoint(table.name for table in NEW["7"])


def test_a_store_that_was_taken_over_is_opened_by_several_at_once(six: State) -> None:
    found = [open_state(six.engine.url) for _ in range(3)]
    with found[0].write() as connection:
        connection.execute(insert(HEALING).values(cluster="default", id="x", body="{}"))
    for one in found:
        with one.read() as connection:
            assert connection.execute(select(HEALING.c.id)).scalars().all() == ["x"]
        one.close()
