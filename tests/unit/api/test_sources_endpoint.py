"""One source by its name, and the word to look at it now."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.store.state import State
from tests.unit.api.conftest import Asked

Get = Callable[..., TestResponse]
MINE = {"Authorization": "Bearer swordfish"}


def test_a_source_is_found_by_its_name(filled: State, get: Get) -> None:
    found = get("/api/v1/sources/shop").json
    assert (found["kind"], found["name"], found["state"]) == ("Source", "shop", "Ready")
    assert found == get("/api/v1/sources").json["items"][0] | {"apiVersion": found["apiVersion"], "kind": "Source"}
    assert get("/api/v1/sources/other").status_code == 404
    assert get("/api/v1/sources/shop?x=y").status_code == 400


def test_a_source_is_looked_at_when_it_is_asked_for(filled: State, client: FlaskClient, asked: Asked) -> None:
    answer = client.post("/api/v1/sources/shop/refresh", headers=MINE)
    assert (answer.status_code, answer.json) == (202, {"status": "accepted", "sources": ["shop"]})
    assert asked.sources == ["shop"]


def test_nobody_asks_for_a_look_without_the_token_or_at_what_there_is_not(
    filled: State, client: FlaskClient, asked: Asked
) -> None:
    assert client.post("/api/v1/sources/shop/refresh").status_code == 401
    assert client.post("/api/v1/sources/shop/refresh", auth=("x", "swordfish")).status_code == 401
    assert client.post("/api/v1/sources/other/refresh", headers=MINE).status_code == 404
    assert asked.sources == []


def test_a_reconciler_that_is_away_is_said_to_be(filled: State, client: FlaskClient, asked: Asked) -> None:
    asked.error = OSError("no such socket")
    answer = client.post("/api/v1/sources/shop/refresh", headers=MINE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
