"""When the guard was blind, as programs, people and Prometheus read it: whole, bounded, escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.model.blind import CANARY_STATES, Blind, Slipped
from reconciler.store.blind import StoredBlindLog, keep_slipped, save_watch
from reconciler.store.state import State
from setscrew.cli.drift_text import print_table

Get = Callable[..., TestResponse]
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"
WRITE = Slipped("a", "2030-01-02T12:00:00.000Z", EVIL, "patch", "", "configmaps", "shop", "x", "", "core-v1", 200)
CANARY = {"state": "blind", "detail": EVIL, "fix": "look", "saw": "2030-01-02T11:00:00Z", "unproved": [], "entries": {}}


@pytest.fixture
def log(state: State) -> StoredBlindLog:
    log = StoredBlindLog(state, lambda _: None, lambda: NOON)
    log.begin(Blind("fail-open", NOON, entries=("apps-v1.guard.setscrew.dev",), writes=12))
    log.end("fail-open", NOON.replace(minute=1))
    log.begin(Blind("canary", NOON, detail=EVIL))
    save_watch(state, "canary", CANARY)
    save_watch(state, "failOpen", {"state": "counted", "calls": {"apps-v1.guard.setscrew.dev": 12}})
    keep_slipped(state, [WRITE, replace(WRITE, id="b")])
    return log


def test_spans_and_slipped_writes_are_one_list(log: StoredBlindLog, get: Get) -> None:
    found = get("/api/v1/blind").json
    assert (found["apiVersion"], found["kind"]) == ("setscrew.dev/v1alpha1", "BlindList")
    assert [(one["cause"], one["until"]) for one in found["items"]] == [
        ("canary", ""), ("fail-open", "2030-01-02T12:01:00Z"),
    ]  # fmt: skip
    assert [one["id"] for one in found["slipped"]] == ["a", "b"]
    assert found["watches"]["canary"]["saw"] == "2030-01-02T11:00:00Z"
    short = get("/api/v1/blind?limit=1").json
    assert (len(short["items"]), len(short["slipped"])) == (1, 1)
    assert (short["metadata"]["remainingItemCount"], short["metadata"]["remainingSlippedCount"]) == (1, 1)


def test_it_is_asked_for_with_the_token_and_known_parameters_only(client: FlaskClient, get: Get) -> None:
    assert client.get("/api/v1/blind").status_code == 401
    assert get("/api/v1/blind?user=x").status_code == 400
    assert get("/api/v1/blind?limit=0").status_code == 400


def test_the_drift_report_says_it_too_and_its_tag_changes_with_it(log: StoredBlindLog, get: Get) -> None:
    answer = get("/api/v1/drift")
    blind = answer.json["summary"]["blind"]
    assert [one["cause"] for one in blind["open"]] == ["canary"]
    assert [one["writes"] for one in blind["last"]] == [12]
    assert blind["canary"] == {"state": "blind", "detail": EVIL, "fix": "look"}
    log.end("canary", NOON)
    assert get("/api/v1/drift").headers["ETag"] != answer.headers["ETag"]


def test_the_page_shows_it_and_escapes_it(log: StoredBlindLog, get: Get) -> None:
    page = get("/").text
    assert "12 writes passed unjudged (fail-open; entry apps-v1)" in page
    assert 'role="alert"' in page
    assert "alert(1)" in page
    assert EVIL not in page


def test_the_table_of_the_command_shows_it(log: StoredBlindLog, get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(get("/api/v1/drift").json)
    shown = capsys.readouterr().out
    assert "Blind from 2030-01-02T12:00:00Z until now" in shown
    assert "Blind from 2030-01-02T12:00:00Z to 2030-01-02T12:01:00Z: 12 writes passed unjudged" in shown


def test_metrics_say_what_is_and_not_what_was(log: StoredBlindLog, get: Get) -> None:
    text = get("/metrics").text
    assert 'setscrew_blind{cause="canary",cluster="default"} 1.0' in text
    assert 'setscrew_blind{cause="fail-open",cluster="default"} 0.0' in text
    assert 'setscrew_blind{cause="registration",cluster="default"} 0.0' in text
    states = [line for line in text.splitlines() if line.startswith("setscrew_canary_state{")]
    assert len(states) == len(CANARY_STATES)
    assert [line for line in states if line.endswith(" 1.0")] == [
        'setscrew_canary_state{cluster="default",state="blind"} 1.0'
    ]
    assert "setscrew_canary_last_success_timestamp_seconds" in text
    assert 'setscrew_fail_open_writes_total{cluster="default",entry="apps-v1.guard.setscrew.dev"} 12.0' in text
    assert "alert(1)" not in text


def test_without_any_watch_nothing_is_claimed(get: Get) -> None:
    text = get("/metrics").text
    assert 'setscrew_canary_state{cluster="default",state="sees"} 0.0' in text
    assert "setscrew_canary_last_success_timestamp_seconds{" not in text
    assert get("/api/v1/blind").json["items"] == []
