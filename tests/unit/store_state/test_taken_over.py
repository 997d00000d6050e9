"""A store of an earlier version is taken over with all that it holds, and one of a later version is left alone."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select, update

from reconciler.errors import StoreError
from reconciler.report.drift import DriftChange, DriftItem
from reconciler.report.query import Query
from reconciler.store.days import read_days
from reconciler.store.decisions import read_decisions, record
from reconciler.store.findings import put_findings, read_finding, read_findings
from reconciler.store.healing import read_healing
from reconciler.store.history import add_events, read_history, read_in_sync
from reconciler.store.query import read_lines, read_matching
from reconciler.store.schema import ADDED_TO, DAYS, DECISIONS, HEALING, LINES, META, SCHEMA_VERSION
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.verify import verify

# The tables of each version that were new in it.
NEW = {"7": (DAYS, HEALING), "8": (LINES,)}
# As version 7 had it, with what it kept of a finding.
FACTS = """CREATE TABLE drift_facts (cluster VARCHAR, id VARCHAR, severity VARCHAR, team VARCHAR, cost_center VARCHAR,
    who VARCHAR, occurrences INTEGER, known VARCHAR, before TEXT, PRIMARY KEY (cluster, id))"""
FACT = "INSERT INTO drift_facts VALUES ('default', 'web', 'high', '', '', 'dana', 4, 'one', '')"
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
        for table in (*NEW["7"], *NEW["8"]):
            table.drop(connection)
        connection.execute(update(META).where(META.c.key == "schema").values(value="6"))
    return state


@pytest.fixture
def seven(state: State) -> State:
    """A store as version 7 left it: with a finding that has occurred four times."""
    put_findings(state, [WEB, replace(WEB, id="lost", name="lost", state="unknown")])
    with state.write() as connection:
        LINES.drop(connection)
        connection.exec_driver_sql(FACTS)
        connection.exec_driver_sql(FACT)
        connection.execute(update(META).where(META.c.key == "schema").values(value="7"))
    return state


def test_what_version_7_remembered_of_findings_goes_on(seven: State) -> None:
    found = open_state(seven.engine.url)
    with found.read() as connection:
        assert not inspect(connection).has_table("drift_facts")
    put_findings(found, [replace(WEB, last_seen="2030-01-01T00:00:09Z")])
    put_findings(found, [replace(WEB, last_seen="2030-01-01T00:01:00Z", fingerprint="two")])
    body = read_finding(found, "web")
    assert body is not None
    assert (body["occurrences"], body["firstSeen"]) == (5, WEB.first_seen)
    assert [event["event"] for event in read_history(found, "web")] == ["detected", "changed"]
    found.close()


def test_lists_find_what_version_7_stored(seven: State) -> None:
    found = open_state(seven.engine.url)
    with read_matching(found, Query(equal={"severity": "medium", "state": "drifted"})) as matching:
        assert [json.loads(text)["name"] for text in matching.texts] == ["web"]
    assert {line.name: line.state for line in read_lines(found)} == {"web": "drifted", "lost": "unknown"}
    found.close()


def test_a_finding_of_a_version_that_remembered_nothing_goes_on(six: State) -> None:
    found = open_state(six.engine.url)
    put_findings(found, [replace(WEB, last_seen="2030-01-01T00:00:09Z")])
    put_findings(found, [replace(WEB, last_seen="2030-01-01T00:01:00Z", fingerprint="two")])
    body = read_finding(found, "web")
    assert body is not None
    assert body["occurrences"] == 2
    assert [event["event"] for event in read_history(found, "web")] == ["detected", "changed"]
    found.close()


def test_a_store_of_version_6_is_taken_over_with_all_that_it_holds(six: State) -> None:
    assert (SCHEMA_VERSION, {"6", "7"} <= ADDED_TO) == ("8", True)
    found = open_state(six.engine.url)
    assert [one["name"] for one in read_findings(found)[0]] == ["web"]
    assert [event["event"] for event in read_history(found, "web")] == ["detected"]
    assert read_decisions(found)[1] == 1
    with found.read() as connection:
        assert {table.name for tables in NEW.values() for table in tables} <= set(inspect(connection).get_table_names())
        assert connection.execute(META.select().where(META.c.key == "schema")).one().value == SCHEMA_VERSION
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


@pytest.mark.parametrize("version", ["9", "10", "", "six"])
def test_a_store_of_another_version_is_refused_and_not_touched(state: State, path: Path, version: str) -> None:
    put_findings(state, [WEB])
    with state.write() as connection:
        for table in NEW["8"]:
            table.drop(connection)
        connection.execute(update(META).where(META.c.key == "schema").values(value=version))
    state.close()
    with pytest.raises(StoreError, match=f"has format {version or 'unknown'}, this version of Setscrew reads format 8"):
        open_state(sqlite_url(path))
    with sqlite3.connect(path) as raw:
        names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (version,)
    raw.close()
    assert names.isdisjoint(table.name for table in NEW["8"])


def test_a_store_that_was_taken_over_is_opened_by_several_at_once(six: State) -> None:
    found = [open_state(six.engine.url) for _ in range(3)]
    with found[0].write() as connection:
        connection.execute(insert(HEALING).values(cluster="default", id="x", body="{}"))
    for one in found:
        with one.read() as connection:
            assert connection.execute(select(HEALING.c.id)).scalars().all() == ["x"]
        one.close()
