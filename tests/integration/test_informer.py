"""What is known of a cluster stays true on a real API server, whatever happens to watches, kinds and rights."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.cluster.collection import Changed, Collection, Listed
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.informer import Informer
from reconciler.gpu.users.shrink import shrink
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from setscrew.controlplane import ControlPlane
from tests.support.waiting import eventually
from tests.support.wiring import wired

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MAPS = ("", "ConfigMap")
DIALS = ("informer.example.com", "Dial")
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: dials.informer.example.com}
spec:
  group: informer.example.com
  scope: Cluster
  names: {kind: Dial, plural: dials}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def names(informer: Informer[str], kind: tuple[str, str], within: str = "") -> set[str]:
    """Names of what is known, in a namespace."""
    return {ref.name for ref in informer.seen().objects.get(kind, {}) if ref.namespace == within}


@contextmanager
def following(client: ApiClient, *kinds: tuple[str, str]) -> Iterator[tuple[Informer[str], Callable[[], None]]]:
    """An informer, and what looks again at what is served."""
    discovery = Discovery(client)
    informer = Informer(client, discovery, lambda kind, _: kind.kind)

    def look() -> None:
        discovery.refresh()
        informer.follow(kinds)

    look()
    try:
        yield informer, look
    finally:
        informer.follow(())


def client_of(kubeconfig: Path) -> ApiClient:
    return ApiClient.load(str(kubeconfig))


def test_after_a_cut_wire_it_goes_on_where_it_was(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with (
        wired(control_plane, control_plane.admin_kubeconfig, tmp_path) as (wire, kubeconfig),
        following(client_of(kubeconfig), MAPS) as (informer, _),
    ):
        for round_ in range(3):
            control_plane.request("POST", path, {"metadata": {"name": f"m{round_}"}})
            wanted = {f"m{one}" for one in range(round_ + 1)}
            eventually(lambda wanted=wanted: wanted <= names(informer, MAPS, namespace), "the map")  # type: ignore[misc]
            assert wire.cut()
        control_plane.request("DELETE", f"{path}/m0")
        eventually(lambda: "m0" not in names(informer, MAPS, namespace), "the deletion")


def test_a_definition_may_come_and_go_and_come_back(control_plane: ControlPlane) -> None:
    client = client_of(control_plane.admin_kubeconfig)
    dials = "/apis/informer.example.com/v1/dials"
    dial = {"apiVersion": "informer.example.com/v1", "kind": "Dial", "metadata": {"name": "one"}}

    def seen(wanted: set[str], look: Callable[[], None], informer: Informer[str]) -> bool:
        look()
        return names(informer, DIALS) == wanted and informer.seen().whole

    with following(client, MAPS, DIALS) as (informer, look):
        eventually(lambda: seen(set(), look, informer), "all is known without the kind")
        try:
            for _ in range(2):
                control_plane.kubectl("apply", "-f", "-", input=CRD)
                made = lambda: control_plane.request("POST", dials, dial).status == 201  # noqa: E731
                eventually(made, "the kind is served")
                eventually(lambda: seen({"one"}, look, informer), "the object of the new kind")
                control_plane.kubectl("delete", "-f", "-", input=CRD)
                eventually(lambda: seen(set(), look, informer), "the kind is gone with its object")
        finally:
            control_plane.kubectl("delete", "--ignore-not-found", "-f", "-", input=CRD)


def test_a_kind_that_rbac_forbids_is_named_until_it_may_be_read(control_plane: ControlPlane, namespace: str) -> None:
    user = f"informer-{namespace}"
    rule = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]}
    role: dict[str, Any] = {"metadata": {"name": user}, "rules": [rule]}
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    for path, body in ((roles, role), (f"{roles.removesuffix('s')}bindings", binding)):
        assert control_plane.request("POST", path, body).status == 201
    discovery = Discovery(client_of(control_plane.admin_kubeconfig))
    informer = Informer(client_of(control_plane.kubeconfig(user)), discovery, lambda kind, _: kind.kind)
    try:
        informer.follow([("", "Namespace"), MAPS])
        eventually(lambda: "ConfigMap" in informer.seen().unread, "the refusal")
        eventually(lambda: namespace in names(informer, ("", "Namespace")), "what may be read")
        assert ("forbidden" in informer.seen().unread["ConfigMap"], informer.seen().whole) == (True, False)
        rule["resources"].append("configmaps")
        assert control_plane.request("PUT", f"{roles}/{user}", role).status == 200
        eventually(lambda: informer.seen().whole, "the right is there")
    finally:
        informer.follow(())
        for path in (roles, f"{roles.removesuffix('s')}bindings"):
            control_plane.request("DELETE", f"{path}/{user}")


def test_two_thousand_pods_are_kept_in_little_memory(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    control_plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})

    def make(number: int) -> int:
        return control_plane.request("POST", path, _pod(number)).status

    with ThreadPoolExecutor(8) as pool:
        eventually(lambda: make(0) == 201, "Pods may be made")
        assert set(pool.map(make, range(1, 2000))) == {201}
    client = client_of(control_plane.admin_kubeconfig)
    informer: Informer[Tree] = Informer(
        client, Discovery(client), lambda kind, tree: shrink(kind.group, kind.kind, tree)
    )
    tracemalloc.start()
    try:
        informer.follow([("", "Pod")])
        eventually(lambda: informer.seen().whole, "all Pods are listed")
        kept = tracemalloc.get_traced_memory()[0]
        assert len(informer.seen().objects[("", "Pod")]) >= 2000
    finally:
        tracemalloc.stop()
        informer.follow(())
    assert kept < 2000 * 3 * 1024, f"{kept / 2000:.0f} bytes a Pod"


def _pod(number: int) -> dict[str, Any]:
    """A Pod as they are: with variables, volumes and probes that nobody here needs."""
    variables = [{"name": f"SETTING_{index}", "value": "x" * 50} for index in range(30)]
    resources = {"limits": {"nvidia.com/gpu": "1", "cpu": "1"}, "requests": {"cpu": "1"}}
    container = {"name": "main", "image": "example.com/train:1", "env": variables, "resources": resources}
    return {
        "metadata": {"name": f"train-{number}", "labels": {"app": "train"}, "annotations": {"note": "y" * 500}},
        "spec": {"containers": [container], "volumes": [{"name": "cache", "emptyDir": {}}]},
    }


def test_after_a_restart_of_the_api_server_all_is_known_again(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with following(client_of(control_plane.admin_kubeconfig), MAPS) as (informer, _):
        eventually(lambda: informer.seen().whole, "all is listed")
        control_plane.stop_component("kube-apiserver")
        control_plane.start_component("kube-apiserver")
        assert control_plane.request("POST", path, {"metadata": {"name": "later"}}).status == 201
        eventually(lambda: "later" in names(informer, MAPS, namespace), "what came after the restart")
        eventually(lambda: informer.seen().whole, "nothing is left unread")
    _check_that_a_version_from_before_leads_to_a_list(control_plane, namespace)


def _check_that_a_version_from_before_leads_to_a_list(control_plane: ControlPlane, namespace: str) -> None:
    """A restarted API server knows nothing of what was before it, and says so (410)."""
    kind = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
    client = client_of(control_plane.admin_kubeconfig)
    found: Collection[str] = Collection(client, kind, lambda tree: str(tree["metadata"]["name"]))
    found._version = "1"
    changes = found.changes()
    assert isinstance(next(changes), Listed)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert control_plane.request("POST", path, {"metadata": {"name": "last"}}).status == 201
    assert any(isinstance(one, Changed) and one.now == "last" for one in changes)
