"""An Event is written once; the next time its series goes on; what cannot be written is said once and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.cluster.events import EventSink
from reconciler.errors import ApiError, UnreachableError
from reconciler.report.event import ClusterEvent, Regarding
from tests.support.fake_api import Call, FakeApi, refused

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENT = ClusterEvent("DriftDetected", Regarding("apps/v1", "Deployment", "shop", "web", "u-1"), "note", "a" * 64)
COLLECTION = "/apis/events.k8s.io/v1/namespaces/shop/events"
ITEM = f"{COLLECTION}/setscrew.{'a' * 32}"


def sink(handler: Callable[[Call], Any], said: list[str] | None = None) -> tuple[EventSink, FakeApi]:
    api = FakeApi(handler)
    return EventSink(api, "me", (said if said is not None else []).append), api  # type: ignore[arg-type]


def known(at: datetime, **more: Any) -> Callable[[Call], Any]:
    """An API server that has the Event already."""

    def answer(call: Call) -> Any:
        if call.method == "POST":
            raise refused(409)
        return {"eventTime": at.isoformat(), **more}

    return answer


def test_it_is_posted_beside_its_object() -> None:
    one, api = sink(lambda _: {})
    one.send(EVENT, 1, NOW)
    (call,) = api.calls
    assert (call.method, call.path) == ("POST", COLLECTION)
    assert call.body == EVENT.as_json("me", NOW)


def test_what_was_told_within_the_hour_is_not_told_again() -> None:
    one, api = sink(known(NOW - timedelta(minutes=59)))
    one.send(EVENT, 1, NOW)
    assert [call.method for call in api.calls] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("stored", "count", "series"),
    [({}, 1, 2), ({}, 4, 5), ({"series": {"count": 7, "lastObservedTime": "2030-01-02T02:00:00.000000Z"}}, 1, 8)],
)
def test_after_an_hour_its_series_goes_on(stored: Any, count: int, series: int) -> None:
    one, api = sink(known(NOW - timedelta(hours=9), **stored))
    one.send(EVENT, count, NOW)
    assert (api.calls[-1].method, api.calls[-1].path) == ("PATCH", ITEM)
    assert api.calls[-1].body == {"series": {"count": series, "lastObservedTime": "2030-01-02T03:04:05.000000Z"}}


def test_repeats_that_the_api_server_has_forgotten_are_a_series_from_the_start() -> None:
    one, api = sink(lambda _: {})
    one.send(EVENT, 3, NOW)
    assert api.calls[0].body["series"]["count"] == 3


def test_the_uid_of_an_object_that_a_decision_names_is_looked_up() -> None:
    about = replace(EVENT.regarding, uid="", resource="deployments")
    one, api = sink(lambda call: {"metadata": {"uid": "u-9"}} if call.method == "GET" else {})
    one.send(replace(EVENT, regarding=about), 1, NOW)
    assert [call.path for call in api.calls] == ["/apis/apps/v1/namespaces/shop/deployments/web", COLLECTION]
    assert api.calls[-1].body["regarding"]["uid"] == "u-9"
    gone, api = sink(lambda call: {} if call.method == "POST" else (_ for _ in ()).throw(refused(404)))
    gone.send(replace(EVENT, regarding=about), 1, NOW)
    assert "uid" not in api.calls[-1].body["regarding"]


@pytest.mark.parametrize(
    ("error", "words"),
    [(refused(403), "right to create"), (UnreachableError("nobody answers"), "nobody"), (refused(500, "ill"), "ill")],
)
def test_what_cannot_be_written_is_said_once_until_it_can_be(error: Exception, words: str) -> None:
    said: list[str] = []
    broken = [True]

    def answer(_: Call) -> Any:
        if broken[0]:
            raise error
        return {}

    one, _ = sink(answer, said)
    for broken[0] in (True, True, False, True):
        one.send(EVENT, 1, NOW)
    assert len(said) == 2
    assert all("Kubernetes Events are not written" in line and words in line for line in said)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_event_that_has_no_place_is_dropped_in_silence(status: int) -> None:
    said: list[str] = []

    def answer(_: Call) -> ApiError:
        raise refused(status)

    one, _ = sink(answer, said)
    one.send(EVENT, 1, NOW)
    assert said == []
