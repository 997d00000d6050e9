"""A finding leaves with what nobody stores: links, what its source is now, by whose leave it differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from reconciler.report.drift import DriftItem, DriftSource, IgnoredField
from reconciler.report.formats.registry import FORMATS
from reconciler.report.links import GitHost
from reconciler.report.standing import Sight
from reconciler.store.findings import Pass, put_findings, replace_findings
from reconciler.store.grants import add_grant
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.standing import save_standing
from reconciler.store.state import State
from setscrew.stored_state import StoredState
from tests.unit.api.conftest import NOW, Asked, finding
from webhook.api.app import create_api_app
from webhook.api.leaving import Leaving, Sent
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
AT = "2030-01-02T03:00:00Z"
COMMIT = "c" * 40
URL = "https://git.example.com/acme/shop.git"
SOURCE = DriftSource("shop", URL, "deploy", "deploy/web.yaml", 12, "r", COMMIT)
IGNORED = (IgnoredField("spec.clusterIP", "allocated", "r-1", "the server's"),)
GRANT = Grant("g-1", (Subject(user="dana"),), Scope(), "the campaign", not_after=1_893_600_000.0, approver="lena")


@pytest.fixture
def client(state: State, asked: Asked) -> FlaskClient:
    hosts = {"git.example.com": GitHost("gitlab", "https://git.example.com")}
    settings = ApiSettings(
        token=b"swordfish", now=lambda: NOW, git_hosts=hosts, readers=lambda: {b"pay": frozenset({"pay"})}
    )
    return create_api_app(StoredState(state), settings, asked).test_client()


@pytest.fixture
def get(client: FlaskClient) -> Get:
    def ask(path: str, mine: str = "swordfish") -> TestResponse:
        return client.get(path, headers={"Authorization": f"Bearer {mine}"})

    return ask


def named(name: str = "web", **more: Any) -> DriftItem:
    return replace(finding(name=name, ignored=IGNORED, **more), source=SOURCE)


@pytest.fixture
def filled(state: State) -> State:
    replace_findings(state, [named(grant="g-1"), named("old")], Pass(AT))
    save_source(state, SourceStatus("shop", "Ready", URL, "refs/heads/main", origin="Application argocd/shop"), AT)
    add_grant(state, GRANT, "", 0.0)
    known = {"web": ("apps", "Deployment"), "fine": ("", "ConfigMap"), "new": ("example.com", "Widget")}
    sights = {
        ObjectRef(group, kind, "shop", name): Sight("shop", adopted=True) for name, (group, kind) in known.items()
    }
    save_standing(state, {"shop": True}, sights, AT)
    return state


def test_a_finding_leads_to_its_page_its_file_and_its_commit(filled: State, get: Get) -> None:
    one = get("/api/v1/drift?name=web").json["items"][0]
    pages = "https://git.example.com/acme/shop/-"
    assert one["links"] == {
        "self": f"/api/v1/drift/{one['id']}",
        "ui": f"/objects/{one['id']}",
        "git": f"{pages}/blob/{COMMIT}/deploy/web.yaml#L12",
        "commit": f"{pages}/commit/{COMMIT}",
    }
    for link in (one["links"]["self"], one["links"]["ui"]):
        assert get(link).status_code in (200, 401)
    assert (one["source"]["ref"], one["source"]["origin"]) == ("refs/heads/main", "Application argocd/shop")


def test_a_source_that_is_followed_no_longer_is_called_nothing_now(filled: State, get: Get) -> None:
    replace_findings(filled, [replace(named(), source=replace(SOURCE, name="gone", url="/srv/git"))], Pass(AT))
    one = get("/api/v1/drift?name=web").json["items"][0]
    assert (one["source"]["ref"], one["source"]["origin"], one["links"]["git"]) == ("", "", "")


def test_the_grant_that_a_finding_names_is_told_with_it(filled: State, get: Get) -> None:
    web, old = (get(f"/api/v1/drift?name={name}").json["items"][0] for name in ("web", "old"))
    until = "2030-01-02T16:00:00Z"
    assert web["exception"] == {"id": "g-1", "by": "lena", "until": until, "reason": "the campaign"}
    assert "exception" not in old


def test_what_rules_hide_is_shown_to_who_asks_for_it(filled: State, get: Get) -> None:
    identity = named().id
    for path in ("/api/v1/drift?name=web", f"/api/v1/drift/{identity}?format=json"):
        plain, whole = get(path).json, get(f"{path}&includeIgnored=true").json
        without, with_it = (one.get("items", [one])[0] for one in (plain, whole))
        assert ("ignored" in without, with_it["ignored"]) == (False, [one.as_json() for one in IGNORED])
    for path in ("/api/v1/drift", f"/api/v1/drift/{identity}"):
        refused = get(f"{path}?includeIgnored=maybe")
        assert (refused.status_code, "'includeIgnored'" in refused.text) == (400, True)


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"prom"}))  # metrics name no object
def test_a_finding_that_is_over_is_shown_under_its_id_until_it_is_forgotten(filled: State, get: Get, name: str) -> None:
    identity = named().id
    put_findings(filled, [replace(named(), state="in-sync", last_seen="2030-01-02T03:01:00Z")])
    answer = get(f"/api/v1/drift/{identity}?format={name}")
    assert (answer.status_code, "web" in answer.text) == (200, True)
    if name == "json":
        assert (answer.json["resolvedAt"], answer.json["state"]) == ("2030-01-02T03:01:00Z", "drifted")
        assert [one["event"] for one in answer.json["history"]] == ["detected", "resolved"]
    assert get(f"/api/v1/drift/{identity}", "pay").status_code == 404
    assert [one["name"] for one in get("/api/v1/drift").json["items"]] == ["old"]


def test_of_what_there_never_was_there_is_nothing(filled: State, get: Get) -> None:
    assert get(f"/api/v1/drift/{'0' * 64}").status_code == 404


def test_what_is_in_sync_is_what_is_guarded_and_has_no_finding(filled: State, get: Get) -> None:
    found = get("/api/v1/drift?state=in-sync").json
    assert [(one["kind"], one["name"], one["state"]) for one in found["items"]] == [
        ("ConfigMap", "fine", "in-sync"), ("Widget", "new", "in-sync"),
    ]  # fmt: skip
    assert (found["summary"]["total"], "links" in found["items"][0]) == (2, False)
    for query, names in (("kind=widget", ["new"]), ("group=", ["fine"]), ("search=FIN", ["fine"]), ("source=x", [])):
        assert [one["name"] for one in get(f"/api/v1/drift?state=in-sync&{query}").json["items"]] == names
    assert get("/api/v1/drift?state=in-sync&fieldSelector=metadata.name!%3Dfine&limit=1").json["summary"]["total"] == 1
    assert get("/api/v1/drift?state=in-sync", "pay").json["items"] == []


def test_pages_of_what_is_in_sync_add_up(filled: State, get: Get) -> None:
    first = get("/api/v1/drift?state=in-sync&limit=1&sort=-name").json
    onward = first["metadata"]["continue"]
    second = get(f"/api/v1/drift?state=in-sync&limit=1&sort=-name&continue={onward}").json
    assert [one["items"][0]["name"] for one in (first, second)] == ["new", "fine"]


@pytest.mark.parametrize("query", ["minAge=1h", "since=1h", "until=1h", "severity=info", "owner=shop"])
def test_what_only_findings_have_is_not_asked_of_what_is_in_sync(filled: State, get: Get, query: str) -> None:
    refused = get(f"/api/v1/drift?state=in-sync&{query}")
    assert (refused.status_code, f"'{query.partition('=')[0]}'" in refused.text) == (400, True)


@pytest.mark.parametrize("name", ["junit", "openreports"])
def test_a_report_of_tests_tells_what_has_passed_and_nothing_while_it_is_stale(
    filled: State, get: Get, name: str
) -> None:
    assert "fine" in get(f"/api/v1/drift?format={name}").text
    for narrow in ("state=drifted", "minAge=1h", "limit=5", "fieldSelector=state%3Ddrifted"):
        assert "fine" not in get(f"/api/v1/drift?format={name}&{narrow}").text
    save_source(filled, SourceStatus("shop", "RenderFailed", message="boom"), AT)
    assert "fine" not in get(f"/api/v1/drift?format={name}").text
    assert get("/api/v1/drift?state=in-sync").json["items"] == []


def test_the_tag_of_a_report_of_tests_moves_with_what_has_passed(filled: State, get: Get) -> None:
    before = get("/api/v1/drift?format=junit").headers["ETag"]
    save_standing(filled, {}, {ObjectRef("", "ConfigMap", "shop", "fine"): None}, AT)
    assert get("/api/v1/drift?format=junit").headers["ETag"] != before


def test_findings_are_made_ready_one_by_one_as_they_are_sent() -> None:
    stored = [json.dumps(one.as_json()) for one in (named(), named("old"))]
    made: list[str] = []

    class Counting(Leaving):
        def text(self, text: str) -> str:
            made.append(text)
            return super().text(text)

    sent = Sent(stored, Counting((), lambda: (), {}))
    assert (len(sent), made) == (2, [])
    assert json.loads(next(iter(sent)))["links"]["git"] == ""
    assert made == stored[:1]


def test_a_finding_of_an_earlier_version_leaves_as_well() -> None:
    told = Leaving((), lambda: (), {}).text('{"id": "x/y", "state": "drifted", "kind": "Pod"}')
    assert json.loads(told)["links"]["self"] == "/api/v1/drift/x%2Fy"
