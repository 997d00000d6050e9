"""Holds how the registration is written: no write without need, nothing of others lost, conflicts tried again."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.errors import ApiError, ClusterError
from webhook.registration.apply import register, remove

PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
WANTED = {"metadata": {"name": "setscrew", "labels": {"app": "setscrew"}}, "webhooks": [{"name": "a"}]}


class FakeApi:
    """One object behind optimistic locking; `before` runs ahead of each write."""

    def __init__(self, live: dict[str, Any] | None = None) -> None:
        self.live = live
        self.calls: list[str] = []
        self.before: list[Any] = []

    def request(self, method: str, path: str, body: Any = None, /) -> dict[str, Any]:
        self.calls.append(method)
        if method in {"POST", "PUT"} and self.before:
            self.before.pop(0)(self)
        if method == "POST":
            assert path == PATH
            if self.live is not None:
                raise ApiError("there", status=409)
            self.live = self._stored(body, 1)
            return self.live
        assert path == f"{PATH}/setscrew"
        if self.live is None:
            raise ApiError("absent", status=404)
        if method == "PUT":
            if body["metadata"]["resourceVersion"] != self.live["metadata"]["resourceVersion"]:
                raise ApiError("conflict", status=409)
            self.live = self._stored(body, int(self.live["metadata"]["resourceVersion"]) + 1)
        if method == "DELETE":
            found, self.live = self.live, None
            return found
        return copy.deepcopy(self.live)

    @staticmethod
    def _stored(body: Any, version: int) -> dict[str, Any]:
        stored: dict[str, Any] = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(version)
        return stored

    def touch(self) -> None:
        assert self.live
        self.live["metadata"]["resourceVersion"] = str(int(self.live["metadata"]["resourceVersion"]) + 1)


def test_it_is_created_once_and_then_left_alone() -> None:
    api = FakeApi()
    assert register(api, WANTED) == "created"
    assert register(api, WANTED) == "unchanged"
    assert api.calls == ["GET", "POST", "GET"]


def test_what_others_have_put_on_it_stays() -> None:
    api = FakeApi()
    register(api, WANTED)
    assert api.live
    api.live["metadata"]["labels"]["team"] = "x"
    api.live["metadata"]["annotations"] = {"note": "y"}
    assert register(api, {**WANTED, "webhooks": []}) == "changed"
    assert api.live["metadata"]["labels"] == {"app": "setscrew", "team": "x"}
    assert api.live["metadata"]["annotations"] == {"note": "y"}
    assert api.live["webhooks"] == []


def test_a_foreign_change_to_the_webhooks_is_put_back() -> None:
    api = FakeApi()
    register(api, WANTED)
    assert api.live
    api.live["webhooks"] = []
    assert register(api, WANTED) == "changed"
    assert api.live["webhooks"] == WANTED["webhooks"]


def test_a_conflict_is_tried_again_on_the_newer_object() -> None:
    api = FakeApi()
    register(api, WANTED)
    api.before = [FakeApi.touch]
    assert register(api, {**WANTED, "webhooks": []}) == "changed"


def test_losing_the_race_of_creation_is_no_error() -> None:
    api = FakeApi()
    api.before = [lambda fake: setattr(fake, "live", FakeApi._stored(WANTED, 1))]
    assert register(api, WANTED) == "unchanged"


def test_endless_conflicts_end_in_one_line() -> None:
    api = FakeApi()
    register(api, WANTED)
    api.before = [FakeApi.touch] * 100
    with pytest.raises(ClusterError, match="keeps being changed"):
        register(api, {**WANTED, "webhooks": []})


def test_a_refusal_is_passed_on() -> None:
    class Refusing:
        def request(self, method: str, path: str, body: Any = None, /) -> dict[str, Any]:
            raise ApiError(f"{method} {path} {body}", status=403)

    with pytest.raises(ApiError):
        register(Refusing(), WANTED)
    with pytest.raises(ApiError):
        remove(Refusing())


def test_it_is_removed_and_removing_it_again_is_no_error() -> None:
    api = FakeApi()
    register(api, WANTED)
    assert remove(api)
    assert not remove(api)
