"""What Git does not declare, by namespace: as it was counted last, and whether all of it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.report.unmanaged import Place, Unmanaged
from reconciler.store.state import State
from reconciler.store.unmanaged import save_unmanaged
from setscrew.stored_state import StoredState
from tests.unit.api.conftest import NOW, Asked
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
AT = "2030-01-02T03:00:00Z"
PLACES = {
    "": Place(2, {"rbac.authorization.k8s.io/ClusterRole": 1}),
    "shop": Place(40, {"apps/Deployment": 2, "ConfigMap": 5}),
    "web": Place(3, {}),
}


@pytest.fixture
def counted(state: State) -> State:
    save_unmanaged(state, Unmanaged(AT, PLACES))
    return state


@pytest.fixture
def client(state: State) -> FlaskClient:
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, readers=lambda: {b"team-web": frozenset({"web"})})
    return create_api_app(StoredState(state), settings, Asked()).test_client()


def numbers(get: Get, query: str = "") -> list[tuple[str, int, int]]:
    items = get(f"/api/v1/unmanaged{query}").json["items"]
    return [(one["namespace"], one["managed"], one["unmanaged"]) for one in items]


def test_namespaces_with_the_most_unmanaged_objects_come_first(counted: State, get: Get) -> None:
    assert numbers(get) == [("shop", 40, 7), ("", 2, 1), ("web", 3, 0)]
    found = get("/api/v1/unmanaged?limit=1").json
    assert (found["kind"], found["metadata"]["remainingItemCount"]) == ("UnmanagedList", 2)
    assert (found["metadata"]["countedAt"], found["metadata"]["complete"], found["uncounted"]) == (AT, True, {})
    assert found["items"][0]["kinds"] == [
        {"group": "", "kind": "ConfigMap", "number": 5},
        {"group": "apps", "kind": "Deployment", "number": 2},
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?namespace=shop", [("shop", 40, 7)]),
        ("?namespace=", [("", 2, 1)]),
        ("?namespace=none", []),
        ("?kind=configmap", [("shop", 40, 5)]),
        ("?kind=Deployment&namespace=web", []),
    ],
)
def test_filters_choose(counted: State, get: Get, query: str, found: list[tuple[str, int, int]]) -> None:
    assert numbers(get, query) == found


def test_what_nobody_has_counted_is_no_zero(state: State, get: Get) -> None:
    found = get("/api/v1/unmanaged").json
    assert (found["items"], found["metadata"]["complete"], found["metadata"]["countedAt"]) == ([], False, "")
    save_unmanaged(state, Unmanaged(AT, PLACES, {"ConfigMap": "forbidden"}))
    found = get("/api/v1/unmanaged").json
    assert (found["metadata"]["complete"], found["uncounted"]) == (False, {"ConfigMap": "forbidden"})


def test_a_reader_of_some_namespaces_is_told_of_these(counted: State, client: FlaskClient) -> None:
    def mine(query: str = "") -> TestResponse:
        return client.get(f"/api/v1/unmanaged{query}", headers={"Authorization": "Bearer team-web"})

    assert [one["namespace"] for one in mine().json["items"]] == ["web"]
    assert (mine().json["metadata"]["remainingItemCount"], mine("?namespace=shop").json["items"]) == (0, [])
    save_unmanaged(counted, Unmanaged(AT, PLACES, {"ConfigMap": "forbidden"}))
    assert (mine().json["metadata"]["complete"], mine().json["uncounted"]) == (False, {})
