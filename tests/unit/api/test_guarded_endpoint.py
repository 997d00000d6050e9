"""What is guarded since when: noted once at adoption, told to holders of the token, forgotten with the adoption."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from reconciler.model.ref import ObjectRef
from reconciler.report.standing import Sight
from reconciler.store.schema import ADDED_TO, GUARDED_SINCE, META, SCHEMA_VERSION
from reconciler.store.standing import save_standing
from reconciler.store.state import State, open_state

Get = Callable[..., TestResponse]
GOLD = ObjectRef("resource.k8s.io", "DeviceClass", "", "gold")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
OLD = ObjectRef("apps", "Deployment", "shop", "old")
FIRST, LATER = "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"
HERE, NOT_YET = Sight("gpu", adopted=True), Sight("gpu", adopted=False, uid="u")


def told(get: Get, query: str = "") -> list[tuple[str, bool, str, str]]:
    items = get(f"/api/v1/guarded{query}").json["items"]
    return [(one["name"], one["adopted"], one["since"], one["commit"]) for one in items]


@pytest.fixture
def adopted(state: State) -> State:
    save_standing(state, {"gpu": True}, {GOLD: HERE, WEB: HERE, OLD: NOT_YET}, FIRST, {"gpu": "a" * 40})
    return state


def test_what_is_adopted_is_guarded_since_then_at_that_commit(adopted: State, get: Get) -> None:
    assert told(get) == [
        ("old", False, "", ""),
        ("web", True, FIRST, "a" * 40),
        ("gold", True, FIRST, "a" * 40),
    ]
    answer = get("/api/v1/guarded?kind=deviceclass").json
    assert answer["kind"] == "GuardedList"
    assert answer["items"] == [
        {
            "group": "resource.k8s.io",
            "kind": "DeviceClass",
            "namespace": "",
            "name": "gold",
            "source": "gpu",
            "adopted": True,
            "since": FIRST,
            "commit": "a" * 40,
        }
    ]


def test_later_decisions_do_not_move_the_time(adopted: State, get: Get) -> None:
    moved = Sight("other", adopted=True)
    save_standing(adopted, {}, {GOLD: moved, OLD: HERE}, LATER, {"gpu": "b" * 40, "other": "c" * 40})
    assert told(get, "?kind=DeviceClass") == [("gold", True, FIRST, "a" * 40)]
    assert told(get, "?name=old") == [("old", True, LATER, "b" * 40)]


def test_what_is_let_go_and_adopted_again_is_guarded_anew(adopted: State, get: Get) -> None:
    save_standing(adopted, {}, {GOLD: None}, LATER)
    assert told(get, "?kind=DeviceClass") == []
    save_standing(adopted, {}, {GOLD: HERE}, LATER, {"gpu": "b" * 40})
    assert told(get, "?kind=DeviceClass") == [("gold", True, LATER, "b" * 40)]


def test_a_page_says_how_many_are_left(adopted: State, get: Get) -> None:
    assert get("/api/v1/guarded?limit=1&namespace=shop").json["metadata"]["remainingItemCount"] == 1
    assert get("/api/v1/guarded?user=x").status_code == 400


def test_it_is_told_to_nobody_without_the_token(client: FlaskClient) -> None:
    assert client.get("/api/v1/guarded").status_code == 401


def test_a_store_from_before_is_taken_over_and_says_no_time(adopted: State, get: Get) -> None:
    assert "4" in ADDED_TO
    with adopted.write() as connection:
        GUARDED_SINCE.drop(connection)
        connection.execute(update(META).where(META.c.key == "schema").values(value="4"))
    open_state(adopted.engine.url).close()
    assert told(get, "?kind=DeviceClass") == [("gold", True, "", "")]
    with adopted.read() as connection:
        assert connection.execute(META.select().where(META.c.key == "schema")).one().value == SCHEMA_VERSION
