"""Holds on a real API server that only what is guarded makes a call: it counts them itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.model.own import REGISTRATION
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from setscrew.controlplane import ControlPlane
from tests.support.admission import RunningServer, admission_server
from tests.support.waiting import eventually
from webhook.registration.apply import PATH, register
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import Guarded

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

HARD, ASKS = Policy("hard", failure_policy="Fail"), Policy("asks", failure_policy="Fail", descendants="Audit")
CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRET = KindInfo("", "v1", "Secret", "secrets", namespaced=True)
SERVICE = KindInfo("", "v1", "Service", "services", namespaced=True, subresources=("status",))
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale", "status"))
NAMESPACE = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False, subresources=("finalize", "status"))
CLASS = KindInfo("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False)
GUARDED = [
    Guarded(CONFIG_MAP, HARD, "shop"),
    Guarded(SECRET, HARD, "side"),
    Guarded(DEPLOYMENT, ASKS, "shop"),
    Guarded(NAMESPACE, HARD, "declared"),
    Guarded(CLASS, HARD, ""),
]
# Much more than a condition may name: two thousand namespaces of one kind, and another kind beside it.
MANY = [Guarded(SERVICE, HARD, f"team-{number:04}") for number in range(2_000)]
NAMESPACES = ("shop", "side", "other", "declared", "team-0007")


class Counted:
    """The API server's own count of calls to entries of ours."""

    def __init__(self, control_plane: ControlPlane, server: RunningServer) -> None:
        self.plane, self.server = control_plane, server

    def total(self) -> float:
        text = str(self.plane.request("GET", "/metrics").body)
        lines = [one for one in text.splitlines() if one.startswith("apiserver_admission_webhook_request_total{")]
        return sum(float(one.rpartition(" ")[2]) for one in lines if "guard.setscrew.dev" in one)

    def calls(self, method: str, path: str, body: Any = None) -> float:
        """How many calls one request makes; it must succeed."""
        before = self.total()
        merge = {"content_type": "application/merge-patch+json"} if method == "PATCH" else {}
        answer = self.plane.request(method, path, body, **merge)
        assert answer.status < 300, answer.body
        return self.total() - before


def create(kind: str, namespace: str) -> tuple[str, str, dict[str, Any]]:
    """A dry-run that leaves nothing behind."""
    spec = {"spec": {"clusterIP": "None"}} if kind == "services" else {}
    return "POST", f"/api/v1/namespaces/{namespace}/{kind}?dryRun=All", {"metadata": {"generateName": "any-"}, **spec}


def furnished(control_plane: ControlPlane, namespace: str) -> bool:
    """Controllers make these in each namespace: they would be counted, too."""
    made = ("configmaps/kube-root-ca.crt", "serviceaccounts/default")
    return all(control_plane.request("GET", f"/api/v1/namespaces/{namespace}/{one}").status == 200 for one in made)


@pytest.fixture(scope="module")
def counted(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    with admission_server(tmp_path_factory.mktemp("admission")) as server:
        for name in NAMESPACES:
            body = {"metadata": {"name": name, "labels": {"verdict": "allow"}}}
            assert control_plane.request("POST", "/api/v1/namespaces", body).status == 201
        api = ApiClient.load(str(control_plane.admin_kubeconfig))
        register(api, build([*GUARDED, *MANY], UrlClient(server.url), server.files.ca_bundle, "canonicalizer"))
        one = Counted(control_plane, server)
        eventually(lambda: one.calls(*create("configmaps", "shop")), "the registration is in force")
        eventually(lambda: all(furnished(control_plane, name) for name in NAMESPACES), "what every namespace gets")
        yield one
        api.request("DELETE", f"{PATH}/{REGISTRATION}")
        for name in NAMESPACES:
            control_plane.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize(
    ("kind", "namespace", "calls"),
    [
        ("configmaps", "shop", 1),
        ("configmaps", "side", 0),
        ("configmaps", "other", 0),
        ("secrets", "side", 1),
        ("secrets", "shop", 0),
        ("services", "team-0007", 1),
        ("services", "shop", 0),
        ("configmaps", "team-0007", 0),
        ("serviceaccounts", "shop", 0),
        ("configmaps", "kube-system", 0),
    ],
)
def test_a_kind_makes_calls_only_in_namespaces_where_it_is_guarded(
    counted: Counted, kind: str, namespace: str, calls: int
) -> None:
    assert counted.calls(*create(kind, namespace)) == calls


def test_subresources_and_what_is_derived_make_calls_only_where_they_must(counted: Counted) -> None:
    web = {
        "metadata": {"name": "web", "labels": {"verdict": "allow"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "verdict": "allow"}},
                "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
            },
        },
    }
    for namespace, calls in (("shop", 1), ("other", 0)):
        path = f"/apis/apps/v1/namespaces/{namespace}"
        assert counted.plane.request("POST", f"{path}/deployments", web).status == 201

        def derived(path: str = path) -> dict[str, Any] | None:
            items = counted.plane.request("GET", f"{path}/replicasets").body["items"]
            return items[0] if items and items[0]["status"].get("observedGeneration") else None

        one = eventually(derived, "the ReplicaSet")
        eventually(
            lambda path=path: counted.plane.request("GET", f"{path}/deployments/web").body["status"].get("conditions"),
            "the controllers are done",
        )
        assert counted.calls("PATCH", f"{path}/deployments/web/scale", {"spec": {"replicas": 0}}) == calls
        assert counted.calls("PATCH", f"{path}/deployments/web/status", {"status": {"observedGeneration": 9}}) == 0
        change = {"metadata": {"labels": {"a": "b"}}}
        assert counted.calls("PATCH", f"{path}/replicasets/{one['metadata']['name']}", change) == calls


@pytest.mark.parametrize(("namespace", "change", "delete"), [("declared", 1, 1), ("shop", 0, 1), ("other", 0, 0)])
def test_a_namespace_makes_calls_where_it_is_declared_or_holds_what_is(
    counted: Counted, namespace: str, change: int, delete: int
) -> None:
    path = f"/api/v1/namespaces/{namespace}?dryRun=All"
    assert counted.calls("PATCH", path, {"metadata": {"labels": {"a": "b"}}}) == change
    assert counted.calls("DELETE", path) == delete


def test_nobody_forges_the_name_that_a_namespace_is_chosen_by(counted: Counted) -> None:
    label = {"metadata": {"labels": {"kubernetes.io/metadata.name": "other"}}}
    assert counted.calls("PATCH", "/api/v1/namespaces/shop", label) == 0
    assert counted.calls(*create("configmaps", "shop")) == 1
    made = {"metadata": {"name": "declared", "labels": {"kubernetes.io/metadata.name": "other", "verdict": "allow"}}}
    before = counted.total()
    assert counted.plane.request("POST", "/api/v1/namespaces?dryRun=All", made).status == 409
    assert counted.total() - before == 1


def test_cluster_wide_kinds_make_calls_beside_selectors(counted: Counted) -> None:
    body = {"metadata": {"name": "any"}, "value": 1}
    assert counted.calls("POST", "/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All", body) == 1
    role = {"metadata": {"name": "any"}}
    assert counted.calls("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles?dryRun=All", role) == 0


def test_definitions_of_others_make_no_call(counted: Counted) -> None:
    definition = {
        "metadata": {"name": "pools.network.example.com"},
        "spec": {
            "group": "network.example.com",
            "scope": "Cluster",
            "names": {"kind": "Pool", "plural": "pools"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert counted.calls("POST", path, definition) == 0
    assert counted.calls("PATCH", f"{path}/pools.network.example.com", {"metadata": {"labels": {"a": "b"}}}) == 0
    assert counted.calls("DELETE", f"{path}/pools.network.example.com") == 0


def test_no_condition_fails_and_all_that_fits_is_taken(counted: Counted) -> None:
    kinds = [KindInfo("", "v1", f"Kind{number}", f"kind{number}s", namespaced=True) for number in range(70)]
    crowd = [
        Guarded(kind, HARD, f"team-{number + place:04}") for number, kind in enumerate(kinds) for place in range(40)
    ]
    api = ApiClient.load(str(counted.plane.admin_kubeconfig))
    url, bundle = UrlClient(counted.server.url), counted.server.files.ca_bundle
    full = build([*GUARDED, *MANY, *crowd], url, bundle, "canonicalizer")
    assert max(len(one["matchConditions"]) for one in full["webhooks"]) > 40
    try:
        assert register(api, full) == "changed"
        eventually(lambda: "kind69s" in json.dumps(api.request("GET", f"{PATH}/{REGISTRATION}")), "it is stored")
        for _ in range(20):
            assert counted.calls(*create("configmaps", "shop")) == 1
            assert counted.calls(*create("services", "team-0007")) == 1
            assert counted.calls(*create("configmaps", "other")) == 0
    finally:
        register(api, build([*GUARDED, *MANY], url, bundle, "canonicalizer"))
    text = str(counted.plane.request("GET", "/metrics").body)
    name = "apiserver_admission_match_condition_evaluation_errors"
    errors = [one for one in text.splitlines() if one.startswith(name) and "guard.setscrew.dev" in one]
    assert [one for one in errors if not one.endswith(" 0")] == []
