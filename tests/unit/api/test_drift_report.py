"""The report over HTTP: filters, pages of one list, formats, tags, and readers who see their namespaces and no more."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import Attribution, DriftItem, finding_id
from reconciler.report.formats.registry import FORMATS
from reconciler.store.decisions import record
from reconciler.store.findings import Pass, managed_key, put_findings, replace_findings
from reconciler.store.history import note_history
from reconciler.store.namespaces import keep_namespaces
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State
from setscrew.stored_state import StoredState
from tests.unit.api.conftest import finding
from webhook.api import drift as routes
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
START = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "the other team's"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(state: State, clock: Clock) -> FlaskClient:
    readers = {b"pay-only-token-1234": frozenset({"pay"}), b"two-teams-token-1234": frozenset({"pay", "shop"})}
    settings = ApiSettings(token=b"swordfish", now=clock, readers=lambda: readers, version="1.2.3")
    return create_api_app(StoredState(state), settings, lambda _: None).test_client()


@pytest.fixture
def get(client: FlaskClient) -> Get:
    def ask(path: str, mine: str = "swordfish", **headers: str) -> TestResponse:
        return client.get(path, headers={"Authorization": f"Bearer {mine}", **headers})

    return ask


def item(name: str, namespace: str = "shop", **more: Any) -> DriftItem:
    identity = finding_id(ObjectRef("apps", "Deployment", namespace, name))
    return replace(finding(name=name, **more), namespace=namespace, id=identity)


@pytest.fixture
def filled(state: State) -> State:
    """Five findings in two namespaces and one of the cluster, and what is known of all of it."""
    people = {"pay": "pat", "shop": SECRET, "": SECRET}
    items = [
        item(f"w{number}", namespace, attribution=Attribution(user=people[namespace]))
        for number, namespace in enumerate(["shop", "shop", "pay", "shop", ""])
    ]
    replace_findings(
        state,
        items,
        Pass(
            "2030-01-02T03:00:00Z",
            "ab" * 32,
            {managed_key("Deployment", "apps", "shop"): 40},
            hidden={SECRET: 3},
            problems=(SECRET,),
        ),
    )
    save_source(state, SourceStatus(SECRET, "RenderFailed", message=SECRET), "2030-01-02T00:00:00Z")
    keep_namespaces(state, {"shop": {"team": SECRET}, "pay": {"team": "money"}})
    for namespace, user in people.items():
        told = {"time": "2030-01-02T03:00:00.000Z", "code": "held", "allowed": False, "user": user}
        record(state, json.dumps(told | {"namespace": namespace, "kind": "Pod"}).encode())
    return state


def names(answer: TestResponse) -> list[str]:
    return [one["name"] for one in answer.json["items"]]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("labelSelector=team%3Dmoney", ["w2"]),
        ("search=PA", ["w2"]),
        ("minAge=2d", []),
        ("since=2d&sort=-name", ["w4", "w3", "w2", "w1", "w0"]),
        ("namespace=&limit=all", ["w4"]),
    ],
)
def test_filters_reach_the_store(filled: State, get: Get, query: str, chosen: list[str]) -> None:
    assert names(get(f"/api/v1/drift?{query}")) == chosen


def test_fields_cut_findings_down(filled: State, get: Get) -> None:
    assert get("/api/v1/drift?fields=name&name=w0").json["items"] == [{"name": "w0"}]


def pages(get: Get, query: str = "sort=name&limit=2") -> list[list[str]]:
    found, onward = [], ""
    while not found or onward:
        answer = get(f"/api/v1/drift?{query}" + (f"&continue={onward}" if onward else ""))
        assert answer.status_code == 200, answer.text
        found.append(names(answer))
        onward = answer.json["metadata"]["continue"]
        rest = 5 - sum(map(len, found))
        assert (answer.json["metadata"]["remainingItemCount"], answer.json["summary"]["total"]) == (rest, 5)
    return found


def test_pages_add_up_to_the_list(filled: State, get: Get) -> None:
    assert pages(get) == [["w0", "w1"], ["w2", "w3"], ["w4"]]
    assert pages(get, "sort=name&limit=all") == [["w0", "w1", "w2", "w3", "w4"]]


def test_a_list_stays_as_it_was_while_it_is_read(filled: State, get: Get, clock: Clock) -> None:
    first = get("/api/v1/drift?sort=name&limit=2").json
    put_findings(filled, [item("a-new-one"), item("w2", "pay", state="in-sync"), item("w3", state="in-sync")])
    clock.now = START + timedelta(minutes=4)
    onward = first["metadata"]["continue"]
    assert names(get(f"/api/v1/drift?sort=name&limit=2&continue={onward}")) == ["w2", "w3"]
    assert names(get("/api/v1/drift?sort=name&limit=2")) == ["a-new-one", "w0"]


def test_a_list_that_was_kept_too_long_is_gone_and_says_how_to_go_on(filled: State, get: Get, clock: Clock) -> None:
    onward = get("/api/v1/drift?sort=name&limit=2").json["metadata"]["continue"]
    clock.now = START + timedelta(minutes=6)
    gone = get(f"/api/v1/drift?sort=name&limit=2&continue={onward}")
    assert (gone.status_code, gone.content_type) == (410, "application/problem+json")
    fresh = json.loads(gone.data)["continue"]
    assert names(get(f"/api/v1/drift?sort=name&limit=2&continue={fresh}")) == ["w2", "w3"]


def test_a_restart_is_as_if_the_list_had_been_kept_too_long(filled: State, get: Get, clock: Clock) -> None:
    onward = get("/api/v1/drift?limit=2").json["metadata"]["continue"]
    settings = ApiSettings(token=b"swordfish", now=clock)
    again = create_api_app(StoredState(filled), settings, lambda _: None).test_client()
    answer = again.get(f"/api/v1/drift?limit=2&continue={onward}", headers={"Authorization": "Bearer swordfish"})
    assert answer.status_code == 410


def test_a_token_is_of_its_list_and_its_reader_and_cannot_be_made_up(filled: State, get: Get) -> None:
    onward = get("/api/v1/drift?limit=2").json["metadata"]["continue"]
    assert get(f"/api/v1/drift?limit=1&continue={onward}").status_code == 200
    for query in (
        f"limit=2&sort=name&continue={onward}",
        f"limit=2&namespace=shop&continue={onward}",
        f"limit=2&continue={onward[:-4]}AAAA",
        f"limit=2&continue=A{onward[1:]}",
        "limit=2&continue=%C3%BC",
        "limit=2&continue=AAAA",
    ):
        answer = get(f"/api/v1/drift?{query}")
        assert (answer.status_code, "'continue'" in answer.text) == (400, True)
    stolen = get(f"/api/v1/drift?limit=2&continue={onward}", "two-teams-token-1234")
    assert stolen.status_code == 400


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_asked_for_by_name(filled: State, get: Get, name: str) -> None:
    answer = get(f"/api/v1/drift?format={name}")
    assert (answer.status_code, answer.mimetype) == (200, FORMATS[name].media_type)
    assert name == "prom" or all(f"w{number}" in answer.text for number in range(5))
    assert get(f"/api/v1/drift/{item('w0').id}?format={name}").mimetype == FORMATS[name].media_type


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.negotiated])
def test_or_by_its_media_type(filled: State, get: Get, name: str) -> None:
    answer = get("/api/v1/drift", Accept=f"{FORMATS[name].media_type}, text/html;q=0.1")
    assert answer.mimetype == FORMATS[name].media_type
    assert "Accept" in answer.headers["Vary"]


def test_whoever_asks_for_anything_gets_json_and_whoever_asks_for_nothing_that_there_is_is_told(
    filled: State, get: Get
) -> None:
    assert get("/api/v1/drift", Accept="*/*").mimetype == "application/json"
    refused = get("/api/v1/drift", Accept="image/png")
    assert (refused.status_code, "text/csv" in refused.text) == (406, True)
    assert get("/api/v1/drift?format=pdf").status_code == 400


def test_a_format_for_files_holds_all_and_one_for_screens_a_page(state: State, get: Get) -> None:
    replace_findings(state, [item(f"w{number}") for number in range(130)], Pass())
    assert len(get("/api/v1/drift").json["items"]) == 100
    assert len(get("/api/v1/drift?format=csv").text.splitlines()) == 131
    assert len(get("/api/v1/drift?format=csv&limit=7").text.splitlines()) == 8
    assert pages_of(get, 60) == 130


def pages_of(get: Get, limit: int) -> int:
    first = get(f"/api/v1/drift?limit={limit}").json
    onward, seen = first["metadata"]["continue"], [one["name"] for one in first["items"]]
    while onward:
        page = get(f"/api/v1/drift?limit={limit}&continue={onward}").json
        onward, seen = page["metadata"]["continue"], [*seen, *(one["name"] for one in page["items"])]
    return len(set(seen))


def test_the_tag_is_of_the_format_and_the_fields_too(filled: State, get: Get) -> None:
    asked = ("/api/v1/drift", "/api/v1/drift?format=csv", "/api/v1/drift?fields=name", "/api/v1/drift?limit=2")
    tags = {get(path).headers["ETag"] for path in asked}
    assert len(tags) == 4
    for path in asked:
        assert get(path, **{"If-None-Match": get(path).headers["ETag"]}).status_code == 304


def test_it_is_packed_for_whoever_can_unpack_it(filled: State, get: Get) -> None:
    packed = get("/api/v1/drift", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert [one["name"] for one in json.loads(gzip.decompress(packed.data))["items"]] == names(get("/api/v1/drift"))
    assert "Content-Encoding" not in get("/api/v1/drift", **{"Accept-Encoding": "gzip;q=0"}).headers


def test_more_than_fits_one_answer_is_refused_by_the_name_of_the_parameter(
    filled: State, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "REPORT_BYTES", 2_000)
    answer = get("/api/v1/drift?limit=all")
    assert (answer.status_code, "'limit'" in answer.text) == (400, True)
    assert get("/api/v1/drift?limit=1").status_code == 200


def test_a_finding_has_its_history(filled: State, get: Get) -> None:
    identity = item("w0").id
    note_history(filled, identity, "detected", "2030-01-01T00:00:00Z", {"state": "drifted"})
    assert get(f"/api/v1/drift/{identity}").json["history"][-1]["event"] == "detected"
    assert get(f"/api/v1/drift/{identity}?limit=1").status_code == 400


def test_the_summary_has_a_row_a_namespace_with_labels_beside_it(filled: State, get: Get) -> None:
    found = get("/api/v1/drift/summary?by=namespace&labels=team").json
    rows = {row["name"]: (row["labels"]["team"], row["drift"]["total"], row["denials"]) for row in found["items"]}
    assert rows == {"shop": (SECRET, 3, 1), "(cluster)": ("", 1, 1), "pay": ("money", 1, 1)}
    assert (found["total"]["drift"]["total"], found["total"]["denials"]) == (5, 3)
    assert found["metadata"]["stale"] is True
    by_label = get("/api/v1/drift/summary?by=label:team&format=csv").text.splitlines()
    assert [line.split(",")[0] for line in by_label] == ["label:team", SECRET, "(unlabelled)", "money", "TOTAL"]


def test_the_summary_has_a_trend_of_thirty_days_of_the_readers_namespaces(filled: State, get: Get) -> None:
    mine, whole = (get("/api/v1/drift/summary", *token).json["trend"] for token in ((MINE,), ()))
    assert ([len(mine), len(whole)], whole[-1]["day"]) == ([30, 30], "2030-01-02")
    assert [sum(one["denials"] for one in some) for some in (mine, whole)] == [1, 3]
    assert [sum(one["found"] for one in some) for some in (mine, whole)] == [1, 5]


@pytest.mark.parametrize("by", ["namespace", "label:team", "cluster"])
def test_each_row_of_the_summary_has_a_trend_where_it_is_asked_for_and_they_add_up(
    filled: State, get: Get, by: str
) -> None:
    for token in ((), (MINE,)):
        found = get(f"/api/v1/drift/summary?trend=rows&by={by}", *token).json
        assert [[day["day"] for day in row["trend"]] for row in found["items"]] == [
            [day["day"] for day in found["trend"]] for _ in found["items"]
        ]
        for count in ("found", "denials"):
            rows = [sum(day[count] for day in row["trend"]) for row in found["items"]]
            assert sum(rows) == sum(day[count] for day in found["trend"]) > 0
    assert all("trend" not in row for row in get(f"/api/v1/drift/summary?by={by}").json["items"])


def test_days_are_those_of_namespaces_and_not_of_sources_nor_owners(filled: State, get: Get) -> None:
    found = get("/api/v1/drift/summary?trend=rows").json["items"]
    assert {row["name"]: sum(day["found"] for day in row["trend"]) for row in found} == {
        "shop": 3,
        "(cluster)": 1,
        "pay": 1,
    }
    for by in ("source", "kind", "owner", "team", "cost-center", "namespace&trend=columns"):
        answer = get(f"/api/v1/drift/summary?by={by}" + ("" if "trend" in by else "&trend=rows"))
        assert (answer.status_code, "trend" in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize("since", ["1s", "2030-01-02T03:04:00Z"])
def test_the_summary_counts_refused_changes_since_then(filled: State, get: Get, since: str) -> None:
    assert get(f"/api/v1/drift/summary?since={since}").json["total"]["denials"] == 0


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("by=colour", "by"),
        ("labels=%3D", "labels"),
        ("since=x", "since"),
        ("format=sarif", "format"),
        ("sort=name", "sort"),
    ],
)
def test_a_wrong_question_to_the_summary_is_named(get: Get, query: str, named: str) -> None:
    answer = get(f"/api/v1/drift/summary?{query}")
    assert (answer.status_code, f"'{named}'" in answer.text) == (400, True)


MINE = "pay-only-token-1234"


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_of_one_namespace_is_told_nothing_of_others_in_any_format(filled: State, get: Get, name: str) -> None:
    answer = get(f"/api/v1/drift?format={name}", MINE)
    assert answer.status_code == 200
    assert ('"pay"' if name == "prom" else "w2") in answer.text  # metrics name no objects
    assert not any(word in answer.text for word in (SECRET, "w0", "w1", "w3", "w4", "shop/"))


ELSEWHERE = {
    "rows": ["claim-template"],
    "effect": "live",
    "trigger": "at once",
    "classes": [{"family": "ClaimTemplate", "name": "t", "examples": ["ml/train-0"], "tenants": [{"namespace": "ml"}]}],
    "seenAt": "2030-01-02T03:00:00Z",
    "unknown": "",
    "lines": ["ResourceClaimTemplate t: 1 Pod runs with it, such as ml/train-0"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_of_one_namespace_is_not_told_who_uses_a_class_in_others(state: State, get: Get, name: str) -> None:
    replace_findings(state, [item("gold", "pay", gpu=ELSEWHERE), item("w", "pay")], Pass())
    identity = item("gold", "pay").id
    whole = [f"/api/v1/drift?format={name}", f"/api/v1/drift?format={name}&limit=1&sort=name"]
    for path in (*whole, f"/api/v1/drift/{identity}?format={name}", f"/objects/{identity}", "/"):
        answer = get(path, MINE)
        counted = "format=prom" in path and 'namespace="pay"' in answer.text
        assert (answer.status_code, "gold" in answer.text or counted, "ml/train-0" in answer.text) == (
            200,
            True,
            False,
        ), path
    narrow = get(f"/api/v1/drift/{identity}", MINE).json["gpu"]
    assert narrow == {key: ELSEWHERE[key] for key in ("rows", "effect", "trigger")}
    assert "ml/train-0" in get(f"/objects/{identity}").text


def test_the_tag_of_a_reader_of_one_namespace_says_nothing_of_others(state: State, get: Get) -> None:
    tags = []
    for pod in ("ml/train-0", "ml/train-1"):
        hit = {**ELSEWHERE, "classes": [{"family": "ClaimTemplate", "name": "t", "examples": [pod]}]}
        replace_findings(state, [item("gold", "pay", gpu=hit)], Pass())
        tags.append([get("/api/v1/drift", mine).json["metadata"]["digest"] for mine in (MINE, "swordfish")])
    (narrow, whole), (narrow_again, whole_again) = tags
    assert (narrow == narrow_again, whole == whole_again) == (True, False)


def test_a_reader_of_one_namespace_sees_its_own_counts(filled: State, get: Get) -> None:
    report = get("/api/v1/drift", MINE).json
    assert (report["summary"]["total"], report["summary"]["drifted"], report["summary"]["managed"]) == (1, 1, 0)
    assert (report["summary"]["hidden"], report["summary"]["problems"], report["metadata"]["snapshot"]) == ({}, [], "")
    assert (report["metadata"]["stale"], SECRET in report["metadata"]["staleReason"]) == (True, False)
    assert names(get("/api/v1/drift?namespace=shop", MINE)) == []
    assert get(f"/api/v1/drift/{item('w2', 'pay').id}", MINE).status_code == 200
    assert get(f"/api/v1/drift/{item('w0').id}", MINE).status_code == 404
    summary = get("/api/v1/drift/summary?labels=team", MINE)
    assert [row["name"] for row in summary.json["items"]] == ["pay"]
    assert summary.json["items"][0]["topWriters"] == [{"name": "pat", "findings": 1}]
    assert (summary.json["total"]["denials"], SECRET in summary.text) == (1, False)


def test_decisions_are_those_of_the_readers_namespaces(filled: State, get: Get) -> None:
    assert [one["user"] for one in get("/api/v1/decisions", MINE).json["items"]] == ["pat"]
    assert get("/api/v1/decisions?namespace=shop", MINE).json["items"] == []
    refused = get("/api/v1/decisions", "two-teams-token-1234")
    assert (refused.status_code, "pay, shop" in refused.text) == (400, True)
    assert len(get("/api/v1/decisions?namespace=shop", "two-teams-token-1234").json["items"]) == 1


OPEN = {"/healthz", "/readyz", "/hooks/v1/<name>", "/static/<path:filename>"}
SCOPED = {"/api/v1/drift", "/api/v1/drift/<identity>", "/api/v1/drift/summary", "/api/v1/decisions", "/api/v1/guarded"}
SCOPED |= {"/api/v1/clusters", "/api/v1/unmanaged", "/api/v1/events"}
SCOPED |= {"/api/v1/resources/<cluster>/<group>/<version>/<kind>/<namespace>/<name>"}
SCOPED |= {"/api/v1/openapi.json", "/api/v1/schema/drift.v1.json", "/", "/objects/<identity>"}


def test_whatever_is_not_made_for_readers_of_some_namespaces_is_closed_to_them(client: FlaskClient, get: Get) -> None:
    """Also what is added tomorrow: a route is closed until it says otherwise."""
    rules = {rule.rule for rule in client.application.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert rules >= SCOPED
    for rule in rules - SCOPED - OPEN:
        assert get(rule, MINE).status_code == 403, rule


def test_pages_that_are_open_to_a_reader_of_one_namespace_are_about_it_only(filled: State, get: Get) -> None:
    for path in ("/", f"/objects/{item('w2', 'pay').id}"):
        shown = get(path, MINE)
        assert (shown.status_code, "w2" in shown.text, SECRET in shown.text) == (200, True, False)
    assert get(f"/objects/{item('w0').id}", MINE).status_code == 404


def test_guarded_objects_are_those_of_the_readers_namespaces(filled: State, get: Get) -> None:
    assert get("/api/v1/guarded", MINE).status_code == 200
    assert get("/api/v1/guarded?namespace=shop", MINE).json["items"] == []
