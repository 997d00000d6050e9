"""What of the server decides forms: read with a handful of requests, told apart by kind and namespace."""

from __future__ import annotations

from typing import Any

from reconciler.loop.server_state import ServerState, read_state
from reconciler.model.ref import KindInfo
from tests.support.fake_api import Call, FakeApi

POD = KindInfo("", "v1", "Pod", "pods", namespaced=True)
CLAIM = KindInfo("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)


def state(**answers: Any) -> ServerState:
    """As read from a server; answers by the last part of the path."""
    known: dict[str, Any] = {
        "version": {"gitVersion": "v1.36.3"},
        "v3": {"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=1"}}},
    }

    def handler(call: Call) -> Any:
        return (known | answers).get(call.path.rpartition("/")[2], {"items": []})

    return read_state(FakeApi(handler), {}, {"shop"})  # type: ignore[arg-type]


def of_class(name: str, *, default: bool) -> dict[str, Any]:
    marks = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {"items": [{"metadata": {"name": name, "annotations": marks}, "provisioner": "p"}]}


def limit(namespace: str) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "l", "namespace": namespace}, "spec": {"limits": []}}]}


def test_the_version_of_the_server_counts_for_every_kind() -> None:
    other = state(version={"gitVersion": "v1.37.0"})
    assert all(state().facts(kind, "shop") != other.facts(kind, "shop") for kind in (POD, CLAIM, DEPLOYMENT))


def test_types_count_for_the_kinds_of_their_group_and_version() -> None:
    other = state(v3={"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=2"}}})
    assert state().facts(DEPLOYMENT, "shop") != other.facts(DEPLOYMENT, "shop")
    assert state().facts(POD, "shop") == other.facts(POD, "shop")


def test_a_limit_range_counts_for_pods_of_its_namespace() -> None:
    other = state(limitranges=limit("shop"))
    assert state().facts(POD, "shop") != other.facts(POD, "shop")
    assert state().facts(POD, "elsewhere") == other.facts(POD, "elsewhere")
    assert state().facts(CLAIM, "shop") == other.facts(CLAIM, "shop")


def test_a_limit_range_where_git_declares_no_pod_is_nothing_to_us() -> None:
    assert state() == state(limitranges=limit("elsewhere"))


def test_a_default_class_counts_for_claims_and_one_that_is_none_does_not() -> None:
    assert state().facts(CLAIM, "shop") != state(storageclasses=of_class("fast", default=True)).facts(CLAIM, "shop")
    assert state() == state(storageclasses=of_class("slow", default=False))


def test_the_mark_of_a_default_class_is_all_that_counts_of_its_annotations() -> None:
    noted = of_class("fast", default=True)
    noted["items"][0]["metadata"]["annotations"]["note"] = "x"
    assert state(storageclasses=of_class("fast", default=True)) == state(storageclasses=noted)


def test_a_server_that_has_not_changed_gives_an_equal_state() -> None:
    assert state(limitranges=limit("shop")) == state(limitranges=limit("shop"))
