"""Holds how discovery documents become kinds, with and without aggregation, whole and in part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.cluster.discovery import Discovery
from reconciler.model.ref import KindInfo
from tests.support.fake_api import Call, FakeApi, refused

DEPLOYMENT = KindInfo(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    namespaced=True,
    subresources=("scale", "status"),
    replicas_path="/spec/replicas",
)
FOO = KindInfo("x.io", "v1", "Foo", "foos", namespaced=True, subresources=("scale",), replicas_path="/spec/size")
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.x.io"
FOO_CRD = {
    "spec": {
        "group": "x.io",
        "scope": "Namespaced",
        "names": {"kind": "Foo", "plural": "foos"},
        "versions": [{"name": "v1", "served": True, "subresources": {"scale": {"specReplicasPath": ".spec.size"}}}],
    }
}


def resource(name: str, kind: str, *subresources: str, verbs: tuple[str, ...] = ("get",)) -> dict[str, Any]:
    below = [{"subresource": subresource} for subresource in subresources]
    return {
        "resource": name,
        "responseKind": {"kind": kind},
        "scope": "Namespaced",
        "verbs": verbs,
        "subresources": below,
    }


def group(name: str, *resources: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    version = {"version": "v1", "freshness": freshness, "resources": list(resources)}
    return {"metadata": {"name": name}, "versions": [version]}


def aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


def server(answers: Mapping[str, Any]) -> FakeApi:
    def handler(call: Call) -> Any:
        if call.path not in answers:
            raise refused(404, f"{call.path} not found")
        return answers[call.path]

    return FakeApi(handler)


def discover(answers: Mapping[str, Any]) -> Discovery:
    return Discovery(server(answers))  # type: ignore[arg-type]


AGGREGATED = {
    "/api": aggregated(group("", resource("bindings", "Binding", verbs=("create",)))),
    "/apis": aggregated(
        group("apps", resource("deployments", "Deployment", "status", "scale")),
        group("x.io", resource("foos", "Foo", "scale")),
        group("metrics.io", freshness="Stale"),
    ),
    CRD_PATH: FOO_CRD,
}
PLAIN = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"versions": [{"groupVersion": f"{name}/v1"}]} for name in ("apps", "x.io", "metrics.io")],
    },
    "/api/v1": {"resources": [{"name": "bindings", "kind": "Binding", "namespaced": True, "verbs": ["create"]}]},
    "/apis/apps/v1": {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["get"]},
            {"name": "deployments/status", "kind": "Deployment", "namespaced": True, "verbs": ["get"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
        ]
    },
    "/apis/x.io/v1": {
        "resources": [
            {"name": "foos", "kind": "Foo", "namespaced": True, "verbs": ["get"]},
            {"name": "foos/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
        ]
    },
    CRD_PATH: FOO_CRD,
}


def test_aggregated_discovery_gives_kinds_with_subresources_and_replicas_paths() -> None:
    discovery = discover(AGGREGATED)
    assert set(discovery.kinds().values()) == {DEPLOYMENT, FOO}
    assert discovery.kind("x.io", "v1", "Foo") == FOO
    assert discovery.kind("x.io", "v2", "Foo") is None


def test_an_older_server_gives_the_same_kinds() -> None:
    assert discover(PLAIN).kinds() == discover(AGGREGATED).kinds()


def test_a_group_whose_server_is_down_hides_only_itself() -> None:
    assert list(discover(AGGREGATED).unavailable) == ["metrics.io/v1"]
    assert list(discover(PLAIN).unavailable) == ["metrics.io/v1"]


def test_without_a_readable_crd_the_replicas_path_is_unknown() -> None:
    kind = discover({path: answer for path, answer in AGGREGATED.items() if path != CRD_PATH}).kind("x.io", "v1", "Foo")
    assert kind is not None
    assert kind.replicas_path == ""


def openapi(digest: str, format_: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"wait": {"type": "string", "format": format_}}}},
        "x-kubernetes-group-version-kind": [{"group": "x.io", "version": "v1", "kind": "Foo"}],
    }
    url = f"/openapi/v3/apis/x.io/v1?hash={digest}"
    return {
        "/openapi/v3": {"paths": {"apis/x.io/v1": {"serverRelativeURL": url}}},
        url: {"components": {"schemas": {"io.x.v1.Foo": schema}}},
    }


def test_types_are_fetched_once_and_again_when_their_hash_changes() -> None:
    answers = {**AGGREGATED, **openapi("1", "duration")}
    api = server(answers)
    discovery = Discovery(api)  # type: ignore[arg-type]
    assert [discovery.types("x.io", "v1", "Foo").at("spec").at("wait").scalar for _ in range(3)] == ["duration"] * 3
    assert sum("hash" in call.path for call in api.calls) == 1
    discovery.refresh()
    discovery.types("x.io", "v1", "Foo")
    assert sum("hash" in call.path for call in api.calls) == 1
    answers.update(openapi("2", "byte"))
    discovery.refresh()
    assert discovery.types("x.io", "v1", "Foo").at("spec").at("wait").scalar == "bytes"


def test_a_kind_without_a_published_schema_has_typed_metadata_only() -> None:
    discovery = discover({**AGGREGATED, **openapi("1", "byte")})
    assert set(discovery.types("apps", "v1", "Deployment").fields) == {"metadata"}
    assert set(discovery.types("x.io", "v1", "Bar").fields) == {"metadata"}


def test_a_refresh_sees_a_new_crd() -> None:
    answers = {**AGGREGATED, "/apis": aggregated()}
    discovery = discover(answers)
    assert discovery.kind("x.io", "v1", "Foo") is None
    answers["/apis"] = AGGREGATED["/apis"]
    discovery.refresh()
    assert discovery.kind("x.io", "v1", "Foo") == FOO
