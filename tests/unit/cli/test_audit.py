"""The record of decisions as people ask for it: listed, checked, and turned over under another action."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.store.chain import HEAD_FILE
from reconciler.store.decisions import record_all
from reconciler.store.state import open_state, sqlite_url
from setscrew.cli.trail import Since
from tests.unit.cli.conftest import Run, as_json

Record = Callable[..., None]
# What a terminal takes as a command: colours, a new title, the one-byte form of an escape, a right-to-left override.
HOSTILE = "eve\x1b[31m\x1b]0;owned\x07\x9b2J\u202e\r\n"
BASE = {
    "user": "dana",
    "operation": "UPDATE",
    "group": "apps",
    "kind": "Deployment",
    "namespace": "shop",
    "name": "web",
    "source": "shop",
    "policy": "default",
    "code": "drift",
    "allowed": False,
    "would": "",
    "paths": [{"path": "/spec/replicas", "verdict": "held", "want": "2", "was": "3", "now": "4"}],
}
AUDITED = {"code": "audited", "allowed": True, "would": "drift"}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Records decisions, an hour ago unless told otherwise; each is BASE with what is given."""

    def one(*decisions: dict[str, Any], hours: float = 1) -> None:
        time = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        state = open_state(sqlite_url(tmp_path / "state.db"))
        record_all(state, [json.dumps({"time": time, **BASE, **more}).encode() for more in decisions])
        state.close()

    return one


@pytest.fixture
def ask(run: Run, tmp_path: Path) -> Run:
    """Runs a command on that state directory."""
    return lambda *words: run(*words, "--state", tmp_path)


def tampered(directory: Path, statement: str) -> None:
    with closing(sqlite3.connect(directory / "state.db")) as connection:
        connection.executescript(f"DROP TRIGGER decisions_no_update; DROP TRIGGER decisions_no_delete; {statement}")


def test_a_whole_record_is_status_0_and_names_its_head(ask: Run, record: Record, tmp_path: Path) -> None:
    record({}, {}, {})
    result = ask("audit", "verify")
    head = json.loads((tmp_path / HEAD_FILE).read_text())["default"]
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("3 records, from ")
    assert f"head 3:{head['hash']}\n" in result.stdout
    found = as_json(ask("audit", "verify", "-o", "json"))
    assert (found["whole"], found["records"], found["breaks"], found["lost"]) == (True, 3, [], 0)
    assert found["head"] == f"3:{head['hash']}"


def test_a_changed_record_is_status_1_and_its_place_is_told(ask: Run, record: Record, tmp_path: Path) -> None:
    record({}, {}, {})
    tampered(tmp_path, "UPDATE decisions SET body = replace(body, 'dana', 'lena') WHERE seq = 2")
    result = ask("audit", "verify")
    assert result.exit_code == 1
    assert "BROKEN\n  record 2 (20" in result.stdout
    found = as_json(ask("audit", "verify", "-o", "json"))
    assert (found["whole"], {one["seq"] for one in found["breaks"]}) == (False, {2})


def test_lost_records_are_told_and_break_nothing(ask: Run, record: Record) -> None:
    record({"worker": "w", "number": 1}, {"worker": "w", "number": 4})
    result = ask("audit", "verify")
    assert result.exit_code == 0
    assert "2 records were lost" in result.stdout
    assert "2 never arrived" in result.stdout
    assert "2 records are missing here" in ask("audit", "list").stdout
    assert [one["lost"] for one in as_json(ask("audit", "list", "--code", "gap", "-o", "json"))["items"]] == [2]


def test_a_head_that_was_kept_elsewhere_shows_a_chain_that_was_made_anew(
    ask: Run, record: Record, tmp_path: Path
) -> None:
    record({}, {})
    head = as_json(ask("audit", "verify", "-o", "json"))["head"]
    record({})
    assert ask("audit", "verify", "--head", head).exit_code == 0
    for file in tmp_path.iterdir():
        file.unlink()
    record({}, {"user": "lena"}, {})
    assert ask("audit", "verify").exit_code == 0
    result = ask("audit", "verify", "--head", head)
    assert (result.exit_code, "another one than was noted" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["audit", "verify"], "no state of Setscrew is here (give the state directory of `setscrew run` with --state"),
        (["audit", "list"], "no state of Setscrew is here"),
        (["policy", "try", "--action", "Deny"], "no state of Setscrew is here"),
        (["audit", "verify", "--head", "3"], "expected SEQ:HASH"),
        (["audit", "list", "--since", "yesterday"], "'yesterday' is no time, such as 7d"),
        (["policy", "try", "--action", "Maybe"], "'Maybe' is not one of"),
        (["policy", "try"], "Missing option '--action'"),
    ],
)
def test_wrong_use_is_one_line_and_makes_no_store(ask: Run, tmp_path: Path, words: list[str], told: str) -> None:
    result = ask(*words)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert told in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_read_is_one_line_and_status_5(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database" * 1000)
    result = ask("audit", "verify")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (5, "", 1)


def test_decisions_are_listed_newest_first_and_filtered(ask: Run, record: Record) -> None:
    record({"name": "old"}, hours=30)
    record({"name": "api", "user": "lena"}, AUDITED)
    assert ask("audit", "list").stdout.index("shop/api") < ask("audit", "list").stdout.index("shop/old")

    def names(*options: str) -> list[str]:
        return [one["name"] for one in as_json(ask("audit", "list", *options, "-o", "json"))["items"]]

    assert names() == ["web", "api", "old"]
    assert names("--since", "1d") == ["web", "api"]
    assert names("--user", "lena") == ["api"]
    assert names("--code", "audited") == ["web"]
    assert names("--kind", "deployment", "--name", "old", "-n", "shop", "--source", "shop") == ["old"]
    assert names("--policy", "other") == []
    first = ask("audit", "list", "--limit", "1")
    assert "2 more are not shown" in first.stderr
    assert "allowed: audited, else drift" in first.stdout
    assert "/spec/replicas: 3 → 4" in first.stdout


@pytest.mark.parametrize(
    "command", ["audit list", "audit verify", "policy try --action Deny", "policy try --action Warn"]
)
@pytest.mark.parametrize("output", ["", "-o json"])
def test_nothing_that_a_terminal_obeys_is_printed(
    ask: Run, record: Record, tmp_path: Path, command: str, output: str
) -> None:
    """Neither from what was asked for, nor from what somebody has written into the database since."""
    path = {"path": HOSTILE, "verdict": "held", "want": HOSTILE, "was": HOSTILE, "now": HOSTILE}
    hostile = dict.fromkeys(("user", "namespace", "name", "kind", "operation", "source", "policy"), HOSTILE)
    hostile |= {"paths": [path], "groups": [HOSTILE], "extra": {HOSTILE: [HOSTILE]}}
    record(hostile, hostile | AUDITED)
    raw = json.dumps(BASE | hostile | AUDITED | {"time": "9999"}, ensure_ascii=False).replace("'", "")
    tampered(tmp_path, f"UPDATE decisions SET body = '{raw}', time = '9999\x9b' || time WHERE seq = 2;")  # noqa: S608
    result = ask(*command.split(), *output.split())
    assert result.exit_code in {0, 1}
    assert len(result.stdout) > 50
    shown = result.stdout + result.stderr
    assert [char for char in shown if not char.isprintable() and char != "\n"] == []


def test_a_rehearsal_of_deny_lists_what_would_have_been_refused(ask: Run, record: Record) -> None:
    record(AUDITED, hours=200)
    record(
        {},
        AUDITED,
        AUDITED | {"code": "warned", "would": "extra", "user": "lena", "name": "api"},
        AUDITED | {"code": "not-adopted"},
        AUDITED | {"code": "granted"},
        AUDITED | {"code": "unverified"},
        {"code": "conforms", "allowed": True},
    )
    result = ask("policy", "try", "--action", "Deny", "--since", "7d")
    assert result.exit_code == 1
    assert result.stdout.startswith("With action Deny 3 of 7 decisions since ")
    assert "1 of them only once it is enforced" in result.stdout
    found = as_json(ask("policy", "try", "--action", "Deny", "-o", "json"))
    assert (found["decisions"], found["turned"], found["lost"]) == (7, 3, 0)
    assert found["counts"] == {
        "object": [
            {"object": "Deployment.apps shop/web", "count": 2},
            {"object": "Deployment.apps shop/api", "count": 1},
        ],
        "user": [{"user": "dana", "count": 2}, {"user": "lena", "count": 1}],
        "code": [{"code": "drift", "count": 2}, {"code": "extra", "count": 1}],
        "answer": [{"answer": name, "count": 1} for name in ("audited", "warned", "not-adopted")],
    }
    assert [one["code"] for one in found["items"]] == ["not-adopted", "warned", "audited"]


@pytest.mark.parametrize("action", ["Warn", "Audit"])
def test_a_rehearsal_of_less_lists_what_would_not_have_been_refused(ask: Run, record: Record, action: str) -> None:
    record({}, AUDITED, {"code": "internal-error"}, {"code": "older-revision", "user": "argocd"})
    found = as_json(ask("policy", "try", "--action", action, "-o", "json"))
    assert (found["decisions"], found["turned"]) == (4, 2)
    assert [one["code"] for one in found["items"]] == ["older-revision", "drift"]


def test_a_rehearsal_that_turns_nothing_is_status_0(ask: Run, record: Record) -> None:
    record({})
    result = ask("policy", "try", "--action", "Deny")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 of 1 decisions" in result.stdout


@pytest.mark.parametrize(
    ("options", "turned"),
    [(["--source", "shop"], 2), (["--source", "gpu"], 1), (["--policy", "strict"], 1), (["--source", "none"], 0)],
)
def test_a_rehearsal_looks_at_one_source_or_policy(ask: Run, record: Record, options: list[str], turned: int) -> None:
    record(AUDITED, AUDITED | {"policy": "strict"}, AUDITED | {"source": "gpu"})
    result = ask("policy", "try", "--action", "Deny", *options, "-o", "json")
    assert (as_json(result)["turned"], as_json(result)["decisions"]) == (turned, turned)
    assert result.exit_code == (1 if turned else 0)


def test_a_rehearsal_says_what_it_cannot_know(ask: Run, record: Record) -> None:
    record(AUDITED | {"worker": "w", "number": 3})
    assert "2 records of that time are missing, so it may be more" in ask("policy", "try", "--action", "Deny").stdout


@pytest.mark.parametrize(
    ("text", "length"),
    [("7d", timedelta(days=7)), ("1d12h", timedelta(days=1.5)), ("90m", timedelta(minutes=90)), ("0", timedelta())],
)
def test_a_length_is_so_long_before_now(text: str, length: timedelta) -> None:
    instant = datetime.fromisoformat(Since().convert(text, None, None))
    assert timedelta() <= datetime.now(UTC) - length - instant < timedelta(minutes=1)


def test_a_time_is_that_time_in_utc() -> None:
    assert Since().convert("2027-01-31T22:30:00+02:00", None, None) == "2027-01-31T20:30:00.000Z"
