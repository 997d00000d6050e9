"""The stream of events: all that happens to findings, in order, once, to who may read it; few streams at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.errors import StoreError
from reconciler.limits import API_STREAM_BEAT_SECONDS, API_STREAMS, API_THREADS
from reconciler.report.moment import Mark, Moments
from reconciler.store.findings import put_findings
from reconciler.store.moments import read_epoch, read_moments
from reconciler.store.state import State
from tests.unit.api.conftest import finding
from webhook.api.events import Stream

Get = Callable[..., TestResponse]
Event = tuple[str, str, dict[str, Any]]


def parsed(text: str) -> list[Event]:
    """Name, id and data of each event, as the specification of event streams has them read."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def asked(get: Get, query: str = "", **headers: str) -> list[Event]:
    with get(f"/api/v1/events{query}", **headers) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream"), answer.text
        return parsed(answer.text)


def seen(finding_state: str = "drifted", name: str = "web", print_: str = "f") -> Any:
    return replace(finding(name=name, state=finding_state), fingerprint=print_)


def test_a_stream_begins_now_and_says_where_that_is(filled: State, get: Get) -> None:
    ((name, mark, data),) = asked(get)
    assert (name, mark, data) == ("ready", f"{read_epoch(filled)}-2", {"time": "2030-01-02T03:04:05Z"})


def test_who_comes_again_is_told_what_has_happened_meanwhile_in_order_and_once(filled: State, get: Get) -> None:
    ((_, mark, _),) = asked(get)
    put_findings(filled, [seen(print_="g")])
    put_findings(filled, [seen("in-sync"), seen(name="new")])
    for query, headers in ((f"?since={mark}", {}), ("", {"Last-Event-ID": mark}), ("?since=", {"Last-Event-ID": mark})):
        first, *told = asked(get, query, **headers)
        assert (first[0], [(name, one["name"]) for name, _, one in told]) == (
            "ready",
            [("changed", "web"), ("detected", "new"), ("resolved", "web")],
        )
    assert told[0][2]["fingerprint"] == "g"
    assert (told[2][2]["code"], told[2][2]["links"]["self"]) == ("in-sync", f"/api/v1/drift/{told[2][2]['id']}")
    assert asked(get, f"?since={told[-1][1]}")[1:] == []
    assert [name for name, _, _ in asked(get, f"?since={told[0][1]}")[1:]] == ["detected", "resolved"]


def test_an_event_names_paths_and_no_value(filled: State, get: Get) -> None:
    web = next(one for name, _, one in asked(get, f"?since={read_epoch(filled)}-0") if one.get("name") == "web")
    assert (web["paths"], web["source"], web["state"]) == (["/spec/replicas"], "shop", "drifted")
    assert "desired" not in json.dumps(web)


@pytest.mark.parametrize("mark", ["00000000-1", "{epoch}-99", "nonsense"])
def test_who_comes_with_a_place_that_is_not_known_here_is_told_to_begin_anew(
    filled: State, get: Get, mark: str
) -> None:
    ((name, at, data),) = asked(get, **{"Last-Event-ID": mark.format(epoch=read_epoch(filled))})
    assert (name, at) == ("reset", f"{read_epoch(filled)}-2")
    assert "/api/v1/drift" in data["reason"]


def test_what_was_cut_from_the_history_is_not_passed_over_in_silence(
    filled: State, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"{read_epoch(filled)}-0"
    assert asked(get, f"?since={mark}")[0][0] == "ready"
    monkeypatch.setattr("reconciler.store.history.HISTORY_KEPT", 2)
    monkeypatch.setattr("reconciler.store.history._COUNTED", 1)
    put_findings(filled, [seen(name="one"), seen(name="two")])
    assert asked(get, f"?since={mark}")[0][0] == "reset"


def test_a_wrong_place_is_named(filled: State, get: Get) -> None:
    for query in ("?since=5", "?since=", "?since=0000000g-1", "?after=1"):
        assert get(f"/api/v1/events{query}").status_code == 400
    assert get("/api/v1/events", Authorization="").status_code == 401


def test_a_store_keeps_what_tells_it_from_others(filled: State) -> None:
    assert read_epoch(filled) == read_epoch(filled)


def test_streams_are_few_and_each_gives_its_place_back(filled: State, client: FlaskClient) -> None:
    assert 0 < API_STREAMS < API_THREADS / 2
    mine = {"Authorization": "Bearer swordfish"}
    opened = [client.get("/api/v1/events", headers=mine, buffered=False) for _ in range(API_STREAMS)]
    full = client.get("/api/v1/events", headers=mine)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "30")
    assert client.head("/api/v1/events", headers=mine).status_code == 200
    assert client.get("/api/v1/drift", headers=mine).status_code == 200
    opened[0].close()
    for _ in range(API_STREAMS + 1):
        assert client.get("/api/v1/events", headers=mine, buffered=True).status_code == 200


class Clock:
    """Time that passes only where the stream rests; then what was planned happens."""

    def __init__(self, *planned: Callable[[], object]) -> None:
        self.now, self.rests, self.planned = 0.0, 0, list(planned)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.rests += 1
        if self.planned:
            self.planned.pop(0)()


def listening(state: State, clock: Clock, mine: frozenset[str] | None = None, seconds: float = 60) -> Iterator[str]:
    stream = Stream(
        lambda after, limit: read_moments(state, after, limit), mine, seconds, bool, lambda: clock.now, clock.pause
    )
    return stream.after(Mark(read_epoch(state), 2))


def test_a_listener_hears_of_what_happens_while_he_listens(filled: State) -> None:
    clock = Clock(
        bool, lambda: put_findings(filled, [seen(name="new")]), lambda: put_findings(filled, [seen("in-sync")])
    )
    told = [(name, one["name"]) for name, _, one in parsed("".join(listening(filled, clock)))]
    assert told == [("detected", "new"), ("resolved", "web")]


def test_a_silent_stream_gives_signs_of_life_and_ends(filled: State) -> None:
    clock = Clock()
    signs = list(listening(filled, clock))
    assert len(signs) == 60 // API_STREAM_BEAT_SECONDS
    assert all(one.startswith(":") and f"id: {read_epoch(filled)}-2\n" in one for one in signs)


def test_a_reader_of_some_namespaces_hears_of_these_and_moves_on_past_others(filled: State) -> None:
    other = replace(seen(name="other"), namespace="pay")
    clock = Clock(lambda: put_findings(filled, [other, seen(name="mine")]))
    text = "".join(listening(filled, clock, frozenset({"shop"})))
    assert [one["name"] for _, _, one in parsed(text)] == ["mine"]
    silent = Clock(lambda: put_findings(filled, [replace(other, fingerprint="g")]))
    text = "".join(listening(filled, silent, frozenset({"web"})))
    assert parsed(text) == []
    assert f"-{read_moments(filled, 2**62, 1).newest}\n" in text


def test_a_stream_ends_with_its_process_and_where_the_store_cannot_be_read(filled: State) -> None:
    def broken(_after: int, _limit: int) -> Moments:
        raise StoreError("gone")

    assert list(Stream(broken, None, 60).after(Mark("00000000", 0))) == []
    ended = Stream(lambda after, limit: read_moments(filled, after, limit), None, 60, lambda: True)
    assert list(ended.after(Mark("00000000", 0))) == []


def test_more_than_a_page_that_was_missed_is_told_without_a_rest(filled: State) -> None:
    for start in range(0, 250, 50):
        put_findings(filled, [seen(name=f"n{number}") for number in range(start, start + 50)])
    clock = Clock()
    told = parsed("".join(listening(filled, clock, seconds=0)))
    assert ([one["name"] for _, _, one in told], clock.rests) == ([f"n{number}" for number in range(250)], 0)
