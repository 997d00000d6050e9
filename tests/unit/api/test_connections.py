"""However an answer of the report ends, what it was read from is given back."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from reconciler.store.findings import Pass, replace_findings
from reconciler.store.state import State
from tests.unit.api.conftest import finding

HEADERS = {"Authorization": "Bearer swordfish"}
PLACES = ["", "?format=csv", "?limit=1", "?fieldSelector=name%3Dx"]


def _held(state: State) -> int:
    held: int = state.engine.pool.checkedout()  # type: ignore[attr-defined] # of pools that count
    return held


@pytest.fixture
def many(state: State) -> State:
    replace_findings(
        state, [finding(name=f"web-{number}") for number in range(60)], Pass("2030-01-02T03:00:00Z", "ab" * 32)
    )
    return state


@pytest.mark.parametrize("asked", PLACES)
@pytest.mark.parametrize("how", ["read", "head", "had", "left", "unread"])
def test_an_answer_gives_back_its_connection(many: State, client: FlaskClient, asked: str, how: str) -> None:
    path, more = f"/api/v1/drift{asked}", dict[str, Any]()
    if how == "had":
        more = {"If-None-Match": client.get(path, headers=HEADERS).headers.get("ETag", '"none"')}
    answer = client.open(path, method="HEAD" if how == "head" else "GET", headers=HEADERS | more)
    if how == "read":
        assert answer.data is not None
    if how == "left":
        next(iter(answer.response), None)
    answer.close()
    assert answer.status_code == (304 if how == "had" else 200)
    assert _held(many) == 0


@pytest.mark.parametrize("asked", ["continue=x", "format=pdf", "sort=x", "limit=0"])
def test_a_refusal_holds_none(many: State, client: FlaskClient, asked: str) -> None:
    assert client.get(f"/api/v1/drift?{asked}", headers=HEADERS).status_code == 400
    assert _held(many) == 0


@pytest.mark.parametrize(
    "path", ["/", "/?page=2", "/coverage", "/api/v1/clusters", "/api/v1/drift/summary", "/metrics"]
)
def test_neither_does_what_only_counts(many: State, client: FlaskClient, path: str) -> None:
    client.get(path, headers=HEADERS).close()
    assert _held(many) == 0
