"""Who reads by the word of the cluster reads just what RBAC lets him, and strangers cost the API server little."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from reconciler.errors import UnreachableError
from reconciler.limits import (
    CALLER_NAMESPACES,
    CALLER_SECONDS,
    CALLER_TOKEN_BYTES,
    CALLER_UNKNOWN_SECONDS,
    CALLERS_AT_ONCE,
    CALLERS_KEPT,
)
from setscrew.incluster.callers import Callers
from tests.support.fake_api import Call, FakeApi
from webhook.api.problems import Problem

DANA = {"username": "dana", "uid": "u-1", "groups": ["team"], "extra": {"scopes": ["x"]}}
_WHO = ("uid", "groups", "extra")


@dataclass
class Cluster:
    """Stands for an API server: whose each token is, and who may do what where ("" is everywhere)."""

    users: dict[str, dict[str, Any]] = field(default_factory=lambda: {"dana-token": DANA})
    rights: set[tuple[str, str, str]] = field(default_factory=set)
    spaces: list[str] = field(default_factory=lambda: ["pay", "shop"])
    away: bool = False
    now: float = 100.0

    def __post_init__(self) -> None:
        self.api = FakeApi(self.answer)
        client: Any = self.api
        self.callers = Callers(client, lambda: self.spaces, lambda: self.now)

    def answer(self, call: Call) -> Any:
        if self.away:
            raise UnreachableError("nobody answers")
        spec = call.body["spec"]
        if call.body["kind"] == "TokenReview":
            user = self.users.get(spec["token"])
            return {"status": {"authenticated": True, "user": user} if user else {"error": "invalid bearer token"}}
        wanted = spec["resourceAttributes"]
        assert (wanted["group"], wanted["resource"]) == ("setscrew.dev", "driftreports")
        assert {name: spec[name] for name in _WHO} == {name: DANA[name] for name in _WHO}
        right = (spec["user"], wanted["verb"], wanted.get("namespace", ""))
        return {"status": {"allowed": right in self.rights}}

    def may(self, shown: str = "dana-token", verb: str = "get") -> frozenset[str] | None:
        with Flask(__name__).test_request_context():
            return self.callers.may(shown.encode(), verb)

    def problem(self, shown: str = "dana-token", verb: str = "get") -> int:
        with pytest.raises(Problem) as caught:
            self.may(shown, verb)
        assert shown not in caught.value.detail
        return caught.value.status

    @property
    def reviews(self) -> int:
        """How often it was asked whose a token is."""
        return sum(call.body["kind"] == "TokenReview" for call in self.api.calls)


def test_who_may_everywhere_reads_all() -> None:
    assert Cluster(rights={("dana", "get", "")}).may() is None


def test_who_may_in_some_namespaces_reads_these() -> None:
    assert Cluster(rights={("dana", "get", "shop")}).may() == {"shop"}


def test_to_read_is_no_right_to_have_a_source_looked_at() -> None:
    cluster = Cluster(rights={("dana", "get", ""), ("dana", "update", "shop")})
    assert (cluster.may(), cluster.may(verb="update")) == (None, {"shop"})


def test_who_may_nowhere_is_told_so() -> None:
    assert Cluster().problem() == 403


@pytest.mark.parametrize("token", ["other", "x" * (CALLER_TOKEN_BYTES + 1), "dana-tokenü"])
def test_a_token_of_nobody_is_refused(token: str) -> None:
    assert Cluster(rights={("dana", "get", "")}).problem(token) == 401


def test_what_cannot_be_a_token_is_not_asked_about() -> None:
    cluster = Cluster()
    for token in ("x" * (CALLER_TOKEN_BYTES + 1), "ü" * 20):
        cluster.problem(token)
    assert cluster.api.calls == []


def test_the_cluster_is_asked_once_a_minute_and_a_right_that_is_gone_ends_then() -> None:
    cluster = Cluster(rights={("dana", "get", "shop")})
    assert [cluster.may() for _ in range(3)] == [{"shop"}] * 3
    assert cluster.reviews == 1
    cluster.rights.clear()
    cluster.now += CALLER_SECONDS
    assert cluster.problem() == 403
    assert cluster.reviews == 2


def test_a_token_that_becomes_known_is_let_in_after_a_few_seconds() -> None:
    cluster = Cluster(users={}, rights={("dana", "get", "")})
    assert [cluster.problem(), cluster.problem()] == [401, 401]
    assert cluster.reviews == 1
    cluster.users["dana-token"] = DANA
    cluster.now += CALLER_UNKNOWN_SECONDS
    assert cluster.may() is None


def test_while_the_api_server_is_away_nobody_new_is_let_in_and_nothing_is_remembered() -> None:
    cluster = Cluster(rights={("dana", "get", "")}, away=True)
    assert cluster.problem() == 503
    cluster.away = False
    assert cluster.may() is None


def test_strangers_are_asked_about_a_few_at_a_time_and_who_is_known_does_not_feel_it() -> None:
    cluster = Cluster(rights={("dana", "get", "")})
    assert cluster.may() is None
    statuses = [cluster.problem(f"stranger-{number}") for number in range(CALLERS_AT_ONCE + 5)]
    assert statuses == [401] * (CALLERS_AT_ONCE - 1) + [429] * 6
    assert cluster.may() is None


def test_no_more_tokens_are_remembered_than_the_limit() -> None:
    cluster = Cluster()
    for number in range(CALLERS_KEPT + 10):
        cluster.now += 1.0
        cluster.problem(f"stranger-{number}")
    assert len(cluster.callers._known) == CALLERS_KEPT
    assert all(b"stranger" not in key for key, _ in cluster.callers._known)


def test_of_very_many_namespaces_only_who_may_everywhere_reads() -> None:
    cluster = Cluster(spaces=[f"n{number}" for number in range(CALLER_NAMESPACES + 1)])
    assert cluster.problem() == 403
    assert len(cluster.api.calls) == 2
