"""One object by its name, and the cluster: what is not known is said, and never taken for in sync."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftChange
from reconciler.report.resource import Wanted
from reconciler.report.standing import Sight
from reconciler.snapshot.model import SourceState
from reconciler.store.findings import Pass, managed_key, put_findings, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.standing import save_standing
from reconciler.store.state import State
from reconciler.store.version import save_version
from reconciler.store.watched import Watch, save_watch
from setscrew.stored_state import StoredState
from tests.support.small_snapshot import entry_of
from tests.unit.api.conftest import NOW, Asked, finding
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
WEB, FINE = ObjectRef("apps", "Deployment", "shop", "web"), ObjectRef("apps", "Deployment", "shop", "fine")
SECRET = ObjectRef("", "Secret", "shop", "db")
COMPARED = "ab" * 32


def of(ref: ObjectRef, version: str = "v1", cluster: str = "default") -> str:
    return f"/api/v1/resources/{cluster}/{ref.group or '_'}/{version}/{ref.kind}/{ref.namespace or '_'}/{ref.name}"


class Declared:
    """A fake of the snapshot: what it says of an object is given, so that each answer to it can be seen."""

    def __init__(self) -> None:
        self.wanted = Wanted(COMPARED)

    def declares(self, ref: ObjectRef, want: Any = None, snapshot: str = COMPARED) -> None:
        entry = entry_of(ref.kind, ref.name, ref.namespace)
        entry = replace(entry, object=replace(entry.object, want={"spec": {"replicas": 3}} if want is None else want))
        self.wanted = Wanted(snapshot, entry, SourceState("shop", "https://u:p@git.example.com/shop", "deploy", "r"))

    def find(self, _ref: ObjectRef) -> Wanted:
        return self.wanted


@pytest.fixture
def declared() -> Declared:
    return Declared()


@pytest.fixture
def client(state: State, declared: Declared) -> FlaskClient:
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, readers=lambda: {b"team-web": frozenset({"web"})})
    held = StoredState(state, declared)  # type: ignore[arg-type] # a fake, see there
    return create_api_app(held, settings, Asked()).test_client()


def resource(get: Get, ref: ObjectRef, query: str = "") -> dict[str, Any]:
    answer = get(of(ref) + query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["resource"]
    return found


def test_an_object_that_differs_is_told_with_what_git_wants_and_what_differs(
    filled: State, get: Get, declared: Declared
) -> None:
    declared.declares(WEB)
    found = resource(get, WEB)
    assert (found["state"], found["objectVersion"], found["cluster"]) == ("drifted", "apps/v1", "default")
    assert found["desired"]["object"]["spec"] == {"replicas": 3}
    assert found["desired"]["object"]["metadata"] == {"name": "web", "namespace": "shop"}
    assert found["desired"]["source"]["url"] == "https://git.example.com/shop"
    assert [(one["path"], one["live"]) for one in found["live"]["fields"]] == [("/spec/replicas", 5)]
    assert "not kept" in found["live"]["reason"]
    assert (found["diff"]["known"], found["diff"]["changes"][0]["desired"]) == (True, 3)
    assert found["links"]["self"] == f"/api/v1/drift/{found['finding']}"


@pytest.mark.parametrize(
    ("asked", "there"), [("desired", {"desired"}), ("diff,live", {"live", "diff"}), ("desired,live,diff", None)]
)
def test_only_the_views_are_told_that_were_asked_for(
    filled: State, get: Get, asked: str, there: set[str] | None
) -> None:
    found = resource(get, WEB, f"?view={asked}")
    assert found.keys() & {"desired", "live", "diff"} == (there or {"desired", "live", "diff"})
    for wrong in ("?view=all", "?view=", "?view=diff,diffs", "?views=diff"):
        assert get(of(WEB) + wrong).status_code == 400


def test_an_object_that_is_compared_and_has_no_finding_is_in_sync(filled: State, get: Get, declared: Declared) -> None:
    save_standing(
        filled, {"shop": True}, {FINE: Sight("shop", adopted=True)}, "2030-01-01T00:00:00Z", {"shop": "c" * 40}
    )
    declared.declares(FINE)
    found = resource(get, FINE)
    assert (found["state"], found["reason"], found["finding"]) == ("in-sync", "", "")
    assert (found["guarded"]["source"], found["guarded"]["commit"]) == ("shop", "c" * 40)
    assert (found["live"]["there"], found["diff"]["known"], found["diff"]["hidden"]) == (True, True, None)


def test_what_cannot_be_known_is_never_in_sync(filled: State, get: Get, declared: Declared) -> None:
    save_standing(filled, {"shop": True}, {FINE: Sight("shop", adopted=True)}, "2030-01-01T00:00:00Z", {})

    def unknown() -> str:
        found = resource(get, FINE)
        assert (found["state"], found["live"]["there"], found["diff"]["known"]) == ("unknown", None, False)
        return str(found["reason"])

    assert "no longer" in unknown()  # the snapshot does not declare it
    declared.declares(FINE, snapshot="cd" * 32)
    assert "being compared" in unknown()
    declared.wanted = Wanted(problem="there is no snapshot yet")
    assert "no snapshot" in unknown()
    assert resource(get, FINE)["desired"] == {"declared": True, "reason": "there is no snapshot yet"}
    declared.declares(FINE)
    save_source(filled, SourceStatus("shop", "FetchFailed"), "2030-01-02T03:00:00Z")
    assert "sources not ready" in unknown()


def test_an_object_that_is_missing_is_told_not_to_be_there(filled: State, get: Get, declared: Declared) -> None:
    ref = ObjectRef("apps", "ConfigMap", "shop", "mig")
    declared.wanted = Wanted(COMPARED)
    found = resource(get, ref)
    assert (found["state"], found["live"]["there"]) == ("missing", False)


@pytest.mark.parametrize("how", ["extra", "orphaned"])
def test_what_git_does_not_declare_is_said_not_to_be(filled: State, get: Get, declared: Declared, how: str) -> None:
    put_findings(filled, [finding(name="stray", state=how)])
    stray = ObjectRef("apps", "Deployment", "shop", "stray")
    assert resource(get, stray)["desired"] == {"declared": False, "reason": ""}
    declared.wanted = Wanted(problem="it cannot be read")
    assert resource(get, stray)["desired"]["declared"] is False


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (of(WEB, cluster="other"), "no cluster"),
        (of(WEB, version="v1beta1"), "apps/v1"),
        (of(ObjectRef("apps", "Deployment", "shop", "nobody")), "not known here"),
        (of(ObjectRef("", "Deployment", "shop", "web")), "not known here"),
        (of(ObjectRef("apps", "Deployment", "", "web")), "not known here"),
    ],
)
def test_what_nobody_knows_of_is_no_object_that_is_in_sync(filled: State, get: Get, path: str, said: str) -> None:
    answer = get(path)
    assert answer.status_code == 404
    assert said in answer.json["detail"]


def test_a_reader_of_other_namespaces_is_told_of_nothing_here(
    filled: State, client: FlaskClient, declared: Declared
) -> None:
    declared.declares(WEB)
    mine = {"Authorization": "Bearer team-web"}
    hidden, absent = (client.get(of(ref), headers=mine) for ref in (WEB, ObjectRef("apps", "Deployment", "shop", "no")))
    assert (hidden.status_code, hidden.json) == (404, absent.json)
    assert client.get(of(ObjectRef("", "Namespace", "", "shop")), headers=mine).status_code == 404


def test_a_secret_is_told_without_its_values(filled: State, get: Get, declared: Declared) -> None:
    hashed = "hmac:" + "a" * 64
    declared.declares(
        SECRET,
        {
            "type": "Opaque",
            "data": {"password": hashed},
            "stringData": {"plain": "planted"},
            "metadata": {"labels": {"app": "db"}, "annotations": {"note": "planted"}},
        },
    )
    save_standing(filled, {"shop": True}, {SECRET: Sight("shop", adopted=True)}, "2030-01-01T00:00:00Z", {})
    answer = get(of(SECRET))
    told = answer.json["resource"]["desired"]["object"]
    assert (told["type"], told["data"], told["metadata"]["labels"]) == ("Opaque", {"password": "***"}, {"app": "db"})
    assert (told["metadata"]["name"], told["kind"]) == ("db", "Secret")
    assert [word for word in ("planted", hashed, "hmac") if word in answer.text] == []


def test_an_environment_variable_with_a_telling_name_is_masked_in_the_whole_object(
    filled: State, get: Get, declared: Declared
) -> None:
    env = [{"name": "DB_PASSWORD", "value": "planted"}, {"name": "COLOR", "value": "green"}]
    notes = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "planted"}}
    declared.declares(WEB, {"metadata": notes, "spec": {"template": {"spec": {"containers": [{"env": env}]}}}})
    answer = get(of(WEB))
    assert ("green" in answer.text, "planted" in answer.text) == (True, False)


def test_the_cluster_says_how_it_was_last_heard_of(filled: State, get: Get) -> None:
    save_version(filled, "v1.36.3")
    save_version(filled, "v1.36.3")
    (found,) = get("/api/v1/clusters").json["items"]
    assert (found["name"], found["reach"], found["reason"], found["kubernetes"]) == (
        "default",
        "reached",
        "",
        "v1.36.3",
    )
    assert found["observedAt"] == "2030-01-02T03:00:00Z"
    assert {name: found["counts"][name] for name in ("managed", "total", "drifted", "missing")} == {
        "managed": 4,
        "total": 2,
        "drifted": 1,
        "missing": 1,
    }


def test_a_cluster_that_was_not_heard_of_is_unknown_and_one_of_which_some_is_unwatched_partly_so(
    state: State, get: Get
) -> None:
    def reach() -> tuple[str, str]:
        (found,) = get("/api/v1/clusters").json["items"]
        return found["reach"], found["reason"]

    assert reach() == ("unknown", "the cluster has not been compared yet")
    replace_findings(state, [], Pass("2030-01-02T03:00:00Z", COMPARED, {managed_key("Deployment", "apps", "shop"): 4}))
    save_watch(state, Watch("2030-01-02T03:00:00Z"))
    assert reach() == ("unknown", "changes are known up to 2030-01-02T03:00:00Z")
    save_watch(state, Watch("2030-01-02T03:04:00Z", {"apps/Deployment": "forbidden"}))
    assert reach()[0] == "partly"
    save_watch(state, Watch("2030-01-02T03:04:00Z"))
    assert reach() == ("reached", "")


def test_a_reader_of_some_namespaces_is_told_of_the_cluster_what_is_in_these(
    filled: State, client: FlaskClient
) -> None:
    save_watch(filled, Watch("2030-01-02T03:04:00Z", {"apps/Deployment": "forbidden"}))
    put_findings(filled, [replace(finding(name="mine", changes=(DriftChange("/a", "add"),)), namespace="web")])
    (found,) = client.get("/api/v1/clusters", headers={"Authorization": "Bearer team-web"}).json["items"]
    assert (found["counts"]["total"], found["counts"]["managed"], found["unwatched"]) == (1, 0, {})
