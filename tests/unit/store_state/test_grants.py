"""Grants are made once, revoked at most once and never deleted; what may hold is handed on; findings name theirs."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.limits import GRANT_BYTES, GRANTS_IN_FORCE
from reconciler.loop.enriching import Enricher
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.grant_file import load
from reconciler.policy.model import Rules, Subject
from reconciler.report.drift import DriftChange, DriftItem
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.decisions import record_all
from reconciler.store.grants import add_grant, find_grant, publish_grants, read_grants, revoke_grant
from reconciler.store.state import State

NOW = 1_800_000_000.0


def grant(identity: str, *, hours: float = 1, **changes: Any) -> Grant:
    given = {"subjects": (Subject(user="dana"),), "scope": Scope(kinds=("*",)), "reason": "r"}
    return Grant(**{"id": identity, "not_after": NOW + hours * 3600, "created": NOW, **given, **changes})


def published(state: State, now: float = NOW) -> list[Grant]:
    files: list[bytes] = []
    publish_grants(state, now, files.append)
    return list(load(files[0]))


def test_grants_are_kept_newest_first(state: State) -> None:
    first, second = grant("a"), grant("b", created=NOW + 1)
    assert [add_grant(state, one, "{}", NOW) for one in (first, second)] == [first, second]
    assert read_grants(state) == [second, first]


def test_only_what_may_hold_is_handed_on(state: State) -> None:
    for one in (grant("ends-soon"), grant("stays", hours=2), grant("waits", hours=2, not_before=NOW + 10)):
        add_grant(state, one, "{}", NOW)
    add_grant(state, grant("gone", hours=2), "{}", NOW)
    revoke_grant(state, "gone", NOW + 5, by="root", reason="done")
    assert [one.id for one in published(state)] == ["ends-soon", "stays", "waits"]
    assert [one.id for one in published(state, NOW + 3600)] == ["stays", "waits"]


def test_a_grant_is_revoked_once_and_says_by_whom_and_why(state: State) -> None:
    add_grant(state, grant("a"), "{}", NOW)
    revoked = revoke_grant(state, "a", NOW + 5.5, by="root", reason="done")
    assert revoked == replace(grant("a"), revoked=NOW + 5, revoked_by="root", revoked_for="done")
    assert not revoked.holds(NOW + 5.5)
    assert revoke_grant(state, "a", NOW + 9, by="eve", reason="again") == revoked
    assert read_grants(state) == [revoked]


def test_what_has_ended_is_not_revoked_afterwards(state: State) -> None:
    add_grant(state, grant("a"), "{}", NOW)
    assert revoke_grant(state, "a", NOW + 3600, by="root", reason="") == grant("a")


def test_an_unknown_id_cannot_be_revoked(state: State) -> None:
    with pytest.raises(UsageError, match="no grant 'a'"):
        revoke_grant(state, "a", NOW, by="root", reason="")


def test_the_same_document_makes_one_grant_whatever_has_become_of_it(state: State) -> None:
    add_grant(state, grant("a"), '{"x": 1}', NOW)
    revoked = revoke_grant(state, "a", NOW, by="root", reason="")
    assert add_grant(state, grant("a", hours=8), '{"x": 1}', NOW + 9) == revoked
    assert find_grant(state, "a", '{"x": 1}') == revoked
    assert find_grant(state, "b", '{"x": 1}') is None


def test_an_id_is_never_used_for_another_grant(state: State) -> None:
    add_grant(state, grant("a"), '{"x": 1}', NOW)
    with pytest.raises(UsageError, match="made before"):
        add_grant(state, grant("a"), '{"x": 2}', NOW)


def test_no_more_grants_are_in_force_than_the_admission_server_takes(state: State) -> None:
    for number in range(GRANTS_IN_FORCE):
        add_grant(state, grant(f"g-{number}"), "{}", NOW)
    with pytest.raises(UsageError, match="no more may be") as caught:
        add_grant(state, grant("more"), "{}", NOW)
    assert caught.value.code == "SS1003"
    assert len(published(state)) == GRANTS_IN_FORCE
    assert add_grant(state, grant("later", hours=3), "{}", NOW + 3600).id == "later"


def test_a_grant_is_no_larger_than_its_share_of_the_file(state: State) -> None:
    with pytest.raises(UsageError, match="over"):
        add_grant(state, grant("a", reason="x" * GRANT_BYTES), "{}", NOW)


@pytest.mark.parametrize(
    "sql",
    [
        *("DELETE FROM grants", "UPDATE grants SET revoked = ''", "UPDATE grants SET id = 'b', revoked = 'x'"),
        "UPDATE grants SET not_after = '2999'",
    ],
)
def test_the_database_itself_keeps_grants_as_they_were(state: State, path: Path, sql: str) -> None:
    add_grant(state, grant("a"), "{}", NOW)
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match="kept as they were"):
        connection.execute(sql)
    connection.close()
    assert read_grants(state) == [grant("a")]


def grants_of(state: State, item: DriftItem) -> list[str]:
    return [one.grant for one in Enricher(state).enriched([item], MemorySnapshot((), Rules(())))]


ITEM = DriftItem(
    "i", "f", "apps/v1", "Deployment", "shop", "web", "drifted", changes=(DriftChange("/spec/x", "replace"),)
)


def decided(code: str, grant_id: str = "", *, paths: tuple[str, ...] = ("/spec/x",), **changes: Any) -> bytes:
    said = {
        "time": "2027-01-15T08:00:00Z",
        "code": code,
        "allowed": code != "drift",
        "grant": grant_id,
        "group": "apps",
    }
    said |= {"kind": "Deployment", "namespace": "shop", "name": "web", "operation": "UPDATE", "user": "dana"}
    return json.dumps(said | {"paths": [{"path": path} for path in paths], **changes}).encode()


@pytest.mark.parametrize(
    ("records", "changes", "found"),
    [
        ([decided("granted", "a")], {}, "a"),
        ([decided("granted", "a"), decided("granted", "b")], {}, "b"),
        ([decided("granted", "a"), decided("drift"), decided("conforms", paths=())], {}, "a"),
        ([decided("granted", "a"), decided("audited")], {}, ""),
        ([decided("granted", "a"), decided("audited", paths=("/spec/y",))], {}, "a"),
        ([decided("granted", "a", paths=("/spec/xy",))], {}, ""),
        ([decided("granted", "a", paths=("/spec",))], {}, "a"),
        ([decided("granted", "a", paths=("/spec/x/y",))], {}, "a"),
        ([decided("granted", "a", paths=("/spec/y",), morePaths=3)], {}, "a"),
        ([decided("granted", "a", paths=())], {}, "a"),
        ([decided("granted", "a", paths=(), operation="DELETE")], {}, ""),
        ([decided("granted", "a", paths=(), operation="DELETE")], {"state": "missing", "changes": ()}, "a"),
        ([decided("granted", "a")], {"state": "missing", "changes": ()}, ""),
        ([decided("granted", "a", paths=(), operation="CREATE")], {"state": "extra", "changes": ()}, "a"),
        ([decided("granted", "a")], {"state": "in-sync", "changes": ()}, ""),
        ([decided("granted", "a", group="")], {}, ""),
        ([decided("granted", "a", name="other")], {}, ""),
        ([decided("granted", "a", namespace="other")], {}, ""),
        ([decided("granted", "a", kind="StatefulSet")], {}, ""),
        ([], {}, ""),
    ],
)
def test_a_finding_names_the_last_grant_under_which_it_was_written(
    state: State, records: list[bytes], changes: dict[str, Any], found: str
) -> None:
    add_grant(state, grant("a"), "{}", NOW)
    record_all(state, records)
    assert grants_of(state, replace(ITEM, **changes)) == [found]


def test_each_change_has_its_own_newest_record(state: State) -> None:
    add_grant(state, grant("a"), "{}", NOW)
    record_all(state, [decided("granted", "a", paths=("/spec/x",)), decided("audited", paths=("/spec/y",))])
    both = replace(ITEM, changes=(DriftChange("/spec/x", "replace"), DriftChange("/spec/y", "replace")))
    assert grants_of(state, both) == ["a"]
