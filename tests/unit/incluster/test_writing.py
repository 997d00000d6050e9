"""Holds when a status is written: if it says something new, at a pace, and with an Event where that is news."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from reconciler.errors import ApiError, UnreachableError
from reconciler.report.event import ClusterEvent
from setscrew.incluster.writing import Writer

TREE = {"kind": "GitSource", "metadata": {"name": "shop", "uid": "0f0e", "generation": 2}}


class Api:
    """Plays the API server: a patch is applied, or there is an error. The real one plays in test_configured."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, Mapping[str, Any], str]] = []
        self.error: Exception | None = None

    def request(self, method: str, path: str, body: Any, query: Mapping[str, Any], *, content_type: str) -> Any:
        self.asked.append((method, path, body, query, content_type))
        if self.error is not None:
            raise self.error
        return {**TREE, "status": body["status"]}


class Sink:
    """Takes Events in place of a cluster."""

    def __init__(self) -> None:
        self.sent: list[ClusterEvent] = []

    def send(self, event: ClusterEvent, count: int, at: datetime) -> None:  # noqa: ARG002 - the sink's
        self.sent.append(event)


def status(reason: str = "Enforced", message: str = "a", **fields: Any) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": reason, "message": message}
    return {"observedGeneration": 2, **fields, "conditions": [ready]}


class Case:
    """A writer with a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.api, self.sink, self.said, self.now = Api(), Sink(), list[str](), 1000.0
        self.writer = Writer(self.api, self.said.append, self.sink, lambda: self.now)  # type: ignore[arg-type]

    def write(self, tree: Any, wanted: Any, *, after: float = 1.0) -> Any:
        self.now += after
        return self.writer.write(tree, wanted)


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_is_new_is_applied_to_just_this_object_under_our_own_name(case: Case) -> None:
    written = case.write(TREE, status(mode="Enforced"))
    ((method, path, body, query, content_type),) = case.api.asked
    assert (method, path) == ("PATCH", "/apis/setscrew.dev/v1alpha1/gitsources/shop/status")
    assert body["metadata"] == {"name": "shop", "uid": "0f0e"}
    assert (query, content_type) == ({"fieldManager": "setscrew", "force": True}, "application/apply-patch+yaml")
    assert written["status"] == status(mode="Enforced")
    assert case.write(written, status(mode="Enforced")) is None
    assert len(case.api.asked) == 1


def test_only_the_time_being_new_is_written_once_a_minute(case: Case) -> None:
    written = case.write(TREE, status(lastFetched="2026-11-22T04:00:00Z"))
    later = status(lastFetched="2026-11-22T04:00:05Z")
    assert case.write(written, later, after=5) is None
    assert case.write(written, {**later, "mode": "Held"}, after=5) is not None
    assert case.write(written, later, after=61) is not None


def test_no_more_are_written_a_second_than_may_be(case: Case) -> None:
    others = [{**TREE, "metadata": {**TREE["metadata"], "name": f"shop-{i}"}} for i in range(20)]  # type: ignore[dict-item]
    written = [case.write(tree, status(), after=0.01) for tree in others]
    assert sum(one is not None for one in written) == 1
    assert case.write(others[-1], status(), after=0.2) is not None


def test_what_cannot_be_written_is_said_once_and_tried_again(case: Case) -> None:
    case.api.error = ApiError("forbidden", status=403)
    assert [case.write(TREE, status()) for _ in range(3)] == [None] * 3
    (line,) = case.said
    assert "the right to patch the status of our own objects is missing" in line
    case.api.error = UnreachableError("no answer")
    case.write(TREE, status())
    assert case.said[1:] == ["status is not written: no answer"]
    case.api.error = None
    assert case.write(TREE, status()) is not None


@pytest.mark.parametrize("code", [404, 409])
def test_an_object_that_is_gone_or_made_anew_is_no_trouble(case: Case, code: int) -> None:
    case.api.error = ApiError("gone", status=code)
    assert case.write(TREE, status()) is None
    assert case.said == []


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("", "Enforced", []),
        ("Enforced", "Invalid", ["ConfigurationRefused"]),
        ("Invalid", "Enforced", ["ConfigurationAccepted"]),
        ("DefinedTwice", "FetchFailed", ["ConfigurationAccepted"]),
        ("Invalid", "Invalid", []),
        ("FetchFailed", "Enforced", []),
    ],
)
def test_events_tell_whether_an_object_is_used(case: Case, was: str, now: str, told: list[str]) -> None:
    before = {**TREE, "status": status(was)} if was else TREE
    case.write(before, status(now, message="new"))
    assert [one.reason for one in case.sink.sent] == told
    assert all(one.regarding.uid == "0f0e" and one.note == "new" for one in case.sink.sent)


@pytest.mark.parametrize(
    ("now", "told"), [("InForce", "GrantInForce"), ("Revoked", "GrantRevoked"), ("Ended", "GrantEnded")]
)
def test_events_tell_what_has_become_of_a_grant(case: Case, now: str, told: str) -> None:
    case.write({**TREE, "kind": "DriftGrant", "status": status("Waiting")}, status(now))
    assert [one.reason for one in case.sink.sent] == [told]
    case.write({**TREE, "kind": "DriftGrant", "status": status(now)}, status(now, message="other"))
    assert len(case.sink.sent) == 1
