"""The report is for holders of the token, filtered as asked, and says when it is not to be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.errors import StoreError
from reconciler.store.decisions import record
from reconciler.store.findings import Pass, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
CLOSED = ["/", "/metrics", "/api/v1/drift", "/api/v1/drift/x", "/api/v1/drift/summary", "/api/v1/sources"]
CLOSED += ["/api/v1/decisions", "/api/v1/openapi.json", "/nope"]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", "Bearer ", "Basic eDo=", "swordfish", "Bearer ü"])
def test_nothing_is_told_without_the_token(client: FlaskClient, path: str, header: str | None) -> None:
    answer = client.get(path, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "WWW-Authenticate" in answer.headers


def test_a_browser_opens_the_page_with_the_token_as_password_and_nothing_else(client: FlaskClient) -> None:
    assert client.get("/", auth=("anyone", "swordfish")).status_code == 200
    assert client.get("/", auth=("anyone", "wrong")).status_code == 401
    assert client.get("/api/v1/drift", auth=("anyone", "swordfish")).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_to_anyone_and_nothing_more(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.data) == (200, b"ok\n")


def test_an_app_without_a_token_is_not_made() -> None:
    with pytest.raises(ValueError, match="token"):
        create_api_app(None, ApiSettings(token=b"", now=None), None)  # type: ignore[arg-type]


def test_the_report_is_a_list_with_its_trust(filled: State, get: Get) -> None:
    report = get("/api/v1/drift").json
    assert report["kind"] == "DriftList"
    assert report["metadata"]["stale"] is False
    assert report["metadata"]["snapshot"] == "ab" * 32
    counts = {"managed": 4, "total": 2, "drifted": 1, "missing": 1, "extra": 0, "orphaned": 0, "unknown": 0}
    assert report["summary"] == counts | {
        "hidden": {},
        "unwatched": {},
        "expiredRules": [],
        "problems": [],
        "blind": {"open": [], "last": []},
    }
    assert {item["name"] for item in report["items"]} == {"web", "mig"}


def test_a_report_before_the_first_pass_is_stale(get: Get) -> None:
    assert get("/api/v1/drift").json["metadata"]["stale"] is True


def test_a_report_with_a_broken_source_is_stale(filled: State, get: Get) -> None:
    save_source(filled, SourceStatus("shop", "RenderFailed", message="boom"), "2030-01-02T03:00:00Z")
    assert "shop" in get("/api/v1/drift").json["metadata"]["staleReason"]
    assert get("/api/v1/sources").json["items"][0]["message"] == "boom"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("kind=deployment", ["web"]),
        ("state=missing", ["mig"]),
        ("namespace=none", []),
        ("name=web&source=shop", ["web"]),
    ],
)
def test_filters_narrow_the_report(filled: State, get: Get, query: str, names: list[str]) -> None:
    assert [item["name"] for item in get(f"/api/v1/drift?{query}").json["items"]] == names


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("foo=1", "foo"),
        ("state=broken", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=²", "limit"),
        ("limit=", "limit"),
        ("name=a&name=b", "name"),
    ],
)
def test_a_wrong_parameter_is_named(filled: State, get: Get, query: str, named: str) -> None:
    answer = get(f"/api/v1/drift?{query}")
    assert answer.status_code == 400
    assert named in json.loads(answer.data)["detail"]


def test_a_page_says_what_remains(filled: State, get: Get) -> None:
    assert get("/api/v1/drift?limit=1").json["metadata"]["remainingItemCount"] == 1


def test_an_unchanged_report_is_not_sent_twice(filled: State, get: Get) -> None:
    tag = get("/api/v1/drift").headers["ETag"]
    again = get("/api/v1/drift", **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    replace_findings(filled, [], Pass("2030-01-02T03:00:00Z"))
    assert get("/api/v1/drift", **{"If-None-Match": tag}).status_code == 200


def test_one_finding_has_its_own_address(filled: State, get: Get) -> None:
    identity = get("/api/v1/drift?name=web").json["items"][0]["id"]
    found = get(f"/api/v1/drift/{identity}").json
    assert (found["kind"], found["changes"][0]["live"]) == ("Deployment", 5)
    assert get("/api/v1/drift/unknown").status_code == 404


def test_decisions_are_listed_newest_first(filled: State, get: Get) -> None:
    for user in ("mallory", "eve"):
        record(filled, json.dumps({"time": "t", "code": "held", "allowed": False, "user": user}).encode())
    answer = get("/api/v1/decisions?limit=1").json
    assert (answer["items"][0]["user"], answer["metadata"]["remainingItemCount"]) == ("eve", 1)
    assert get("/api/v1/decisions?user=mallory").json["items"][0]["user"] == "mallory"


def test_a_decision_is_listed_with_all_that_is_recorded_of_it_and_its_place_in_the_chain(
    filled: State, get: Get
) -> None:
    path = {"path": "/spec/replicas", "verdict": "held", "want": "2", "was": "2", "now": "3"}
    told = {"time": "t", "code": "granted", "allowed": True, "would": "drift", "user": "dana", "grant": "g-1"}
    told |= {"source": "shop", "policy": "default", "extra": {"a": ["b"]}, "paths": [path], "worker": "w", "number": 3}
    record(filled, json.dumps(told).encode())
    decided, gap = get("/api/v1/decisions").json["items"]
    assert {key: decided[key] for key in told} == told
    assert (decided["seq"], len(decided["hash"]), decided["cluster"]) == (2, 64, "default")
    assert (gap["seq"], gap["code"], gap["lost"]) == (1, "gap", 2)
    for name, value in (("source", "shop"), ("policy", "default")):
        assert [one["code"] for one in get(f"/api/v1/decisions?{name}={value}").json["items"]] == ["granted"]
        assert get(f"/api/v1/decisions?{name}=other").json["items"] == []


def test_gauges_are_read_from_the_state(filled: State, get: Get) -> None:
    text = get("/metrics").text
    labels = 'cluster="default",group="apps",kind="Deployment",source="shop"'
    assert f"setscrew_managed_resources{{{labels}}} 4.0" in text
    assert 'setscrew_source_ready{cluster="default",source="shop"} 1.0' in text
    assert 'setscrew_report_age_seconds{cluster="default"} 245.0' in text


def test_the_api_renders_nothing(filled: State, get: Get) -> None:
    api = get("/api/v1/drift").headers
    assert api["Content-Security-Policy"].startswith("default-src 'none'; base-uri")
    assert api["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/api/v1/drift", "/metrics", "/readyz"])
def test_a_store_that_fails_is_503_and_never_an_empty_report(
    client: FlaskClient, get: Get, state: State, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> None:
        raise StoreError("disk on fire at /secret/place")

    monkeypatch.setattr(State, "read", broken)
    answer = get(path)
    assert answer.status_code == 503
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/drift", "/", "/metrics"])
def test_the_report_is_read_only(client: FlaskClient, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = client.open(path, method=method, headers={"Authorization": "Bearer swordfish"})
        assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
