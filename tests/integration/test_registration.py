"""Holds the registration and the server's answers on a real API server; the decision behind them is stubbed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from setscrew.controlplane import ControlPlane
from tests.support.admission import RunningServer, admission_server
from tests.support.stub_admission import MESSAGE
from tests.support.waiting import eventually
from webhook.registration.apply import PATH, current, register, switch_off, switched_off, whoami
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.settings import WORKERS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

FAIL = Policy("strict", failure_policy="Fail", descendants="Audit")
SOFT = Policy("default")
CANONICALIZER = "canon"
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale", "status"))
CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
GUARDED = [
    (DEPLOYMENT, FAIL),
    (CONFIG_MAP, FAIL),
    (KindInfo("", "v1", "Pod", "pods", namespaced=True, subresources=("resize", "status")), SOFT),
    (KindInfo("", "v1", "Node", "nodes", namespaced=False, subresources=("status",)), SOFT),
    (KindInfo("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False), FAIL),
    (KindInfo("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True), FAIL),
    (KindInfo("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True,
              subresources=("status",)), SOFT),
    (KindInfo("example.com", "v1", "Widget", "widgets", namespaced=True, subresources=("scale", "status")), SOFT),
]  # fmt: skip
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"verdict": "allow"}},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
        },
    },
}


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A running server, registered with the control plane; the registration is seen by the API server."""
    with admission_server(tmp_path_factory.mktemp("admission")) as running:
        api = ApiClient.load(str(control_plane.admin_kubeconfig))
        register(api, configuration(running))
        path = "/api/v1/namespaces/default/configmaps"
        body = {"metadata": {"generateName": "probe-", "labels": {"verdict": "deny"}}}
        eventually(lambda: control_plane.request("POST", path, body).status == 403, "the registration is in force")
        yield running
        api.request("DELETE", f"{PATH}/setscrew")


@pytest.fixture
def web(control_plane: ControlPlane, server: RunningServer, namespace: str) -> str:
    """A Deployment `web` in a fresh namespace; returns its path."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    assert control_plane.request("POST", path, WEB).status == 201
    # The Deployment controller writes its revision annotation through /status; let it be done.
    eventually(lambda: settled(control_plane, f"{path}/web"), "the controllers are done")
    server.seen.unlink(missing_ok=True)
    return f"{path}/web"


def settled(control_plane: ControlPlane, path: str) -> bool:
    body = control_plane.request("GET", path).body
    done = body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"]
    return done and "deployment.kubernetes.io/revision" in body["metadata"].get("annotations", {})


def configuration(server: RunningServer, **options: Any) -> dict[str, Any]:
    return build(GUARDED, UrlClient(server.url), server.files.ca_bundle, CANONICALIZER, **options)


def patch(control_plane: ControlPlane, path: str, body: Any) -> Any:
    return control_plane.request("PATCH", path, body, content_type="application/merge-patch+json")


def test_the_api_server_takes_it_and_reads_back_the_same(control_plane: ControlPlane, server: RunningServer) -> None:
    api = ApiClient.load(str(control_plane.admin_kubeconfig))
    assert register(api, configuration(server)) == "unchanged"
    assert register(api, configuration(server, own_namespace="setscrew-system")) == "changed"
    assert register(api, configuration(server)) == "changed"


def test_kubectl_shows_our_message(
    control_plane: ControlPlane, server: RunningServer, web: str, namespace: str
) -> None:
    assert web
    done = control_plane.kubectl("label", "deploy/web", "verdict=deny", "--overwrite", "-n", namespace, check=False)
    assert done.returncode == 1
    assert f'admission webhook "apps-v1-fail.guard.setscrew.dev" denied the request: {MESSAGE}' in done.stderr
    assert ["UPDATE", "deployments", "", "web"] in server.requests()


def test_a_denial_is_a_403_with_its_causes(control_plane: ControlPlane, web: str) -> None:
    answer = patch(control_plane, web, {"metadata": {"labels": {"verdict": "deny"}}})
    assert answer.status == 403
    assert answer.body["reason"] == "Forbidden"
    assert answer.body["details"]["causes"] == [
        {"reason": "Setscrew/held", "field": "/spec/replicas", "message": "Git wants 2, the request says 3"}
    ]


def test_scaling_arrives(control_plane: ControlPlane, server: RunningServer, web: str, namespace: str) -> None:
    assert web
    control_plane.kubectl("scale", "deploy/web", "--replicas=1", "-n", namespace)
    assert ["UPDATE", "deployments", "scale", "web"] in server.requests()


def status_calls(server: RunningServer) -> list[list[str]]:
    return [request for request in server.requests() if request[2] == "status"]


def test_plain_status_updates_make_no_call(control_plane: ControlPlane, server: RunningServer, web: str) -> None:
    assert patch(control_plane, f"{web}/status", {"status": {"observedGeneration": 7}}).status == 200
    assert not [call for call in status_calls(server) if call[1] == "deployments"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"new": "x"}},
        {"finalizers": ["example.com/x"]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]},
    ],
    ids=["annotations", "finalizers", "ownerReferences"],
)
def test_metadata_written_through_status_arrives(
    control_plane: ControlPlane, server: RunningServer, web: str, metadata: dict[str, Any]
) -> None:
    assert patch(control_plane, f"{web}/status", {"metadata": metadata}).status == 200
    assert ["UPDATE", "deployments", "status", "web"] in server.requests()


def test_a_label_written_through_the_status_of_a_node_is_refused(
    control_plane: ControlPlane, server: RunningServer
) -> None:
    assert server.url
    node = {"metadata": {"name": "node-1"}}
    assert control_plane.request("POST", "/api/v1/nodes", node).status == 201
    try:
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        assert patch(control_plane, "/api/v1/nodes/node-1/status", ready).status == 200
        assert ["UPDATE", "nodes", "status", "node-1"] not in server.requests()
        answer = patch(control_plane, "/api/v1/nodes/node-1/status", {"metadata": {"labels": {"verdict": "deny"}}})
        assert answer.status == 403
    finally:
        control_plane.request("DELETE", "/api/v1/nodes/node-1")


@pytest.mark.parametrize("field", ["finalizers", "annotations"])
def test_metadata_removed_through_status_arrives(
    control_plane: ControlPlane, server: RunningServer, web: str, field: str
) -> None:
    value: Any = ["example.com/x"] if field == "finalizers" else {"a": "b"}
    assert patch(control_plane, web, {"metadata": {field: value}}).status == 200
    server.seen.unlink()
    assert patch(control_plane, f"{web}/status", {"metadata": {field: None}}).status == 200
    assert ["UPDATE", "deployments", "status", "web"] in server.requests()


def test_leases_and_kinds_that_nobody_guards_make_no_call(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    server.seen.unlink(missing_ok=True)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    assert control_plane.request("POST", leases, {"metadata": {"name": "x"}}).status == 201
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    assert control_plane.request("POST", secrets, {"metadata": {"name": "x"}}).status == 201
    assert not [request for request in server.requests() if request[1] in {"leases", "secrets"}]


def test_only_people_are_asked_about_what_controllers_derive(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    server.seen.unlink(missing_ok=True)
    path = f"/apis/apps/v1/namespaces/{namespace}"
    assert control_plane.request("POST", f"{path}/deployments", WEB).status == 201
    eventually(lambda: settled(control_plane, f"{path}/deployments/web"), "the controllers are done")
    (derived,) = control_plane.request("GET", f"{path}/replicasets").body["items"]
    name = derived["metadata"]["name"]
    assert not [request for request in server.requests() if request[1] == "replicasets"]
    change = {"metadata": {"labels": {"verdict": "allow"}}}
    assert patch(control_plane, f"{path}/replicasets/{name}", change).status == 200
    assert ["UPDATE", "replicasets", "", name] in server.requests()


def test_deleting_a_namespace_arrives_though_nobody_guards_it(
    control_plane: ControlPlane, server: RunningServer
) -> None:
    body = {"metadata": {"name": "held", "labels": {"verdict": "deny"}}}
    assert control_plane.request("POST", "/api/v1/namespaces", body).status == 201
    assert control_plane.request("DELETE", "/api/v1/namespaces/held").status == 403
    assert ["DELETE", "namespaces", "", "held"] in server.requests()
    patch(control_plane, "/api/v1/namespaces/held", {"metadata": {"labels": {"verdict": "allow"}}})
    assert control_plane.request("DELETE", "/api/v1/namespaces/held").status == 200


def test_a_collection_delete_arrives_one_by_one(control_plane: ControlPlane, server: RunningServer, web: str) -> None:
    assert patch(control_plane, web, {"metadata": {"labels": {"verdict": "allow"}}}).status == 200
    path, _, _ = web.rpartition("/")
    assert control_plane.request("DELETE", path).status == 200
    assert [request for request in server.requests() if request[:2] == ["DELETE", "deployments"]]


def test_only_the_dry_runs_of_the_canonicalizer_pass_unseen(
    control_plane: ControlPlane, server: RunningServer, namespace: str, cluster_admin: Any
) -> None:
    manifest = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": namespace, "labels": {"verdict": "deny"}},
        }
    )
    path = server.settings.state_dir / "c.json"
    path.write_text(manifest)

    def create(user: str, *options: str) -> int:
        kubeconfig = cluster_admin(user)
        command = ("create", "-f", str(path), *options)
        assert eventually(
            lambda: (
                control_plane.kubectl("auth", "can-i", "*", "*", kubeconfig=kubeconfig, check=False).returncode == 0
            ),
            "the binding is in force",
        )
        return control_plane.kubectl(*command, kubeconfig=kubeconfig, check=False).returncode

    assert create(CANONICALIZER, "--dry-run=server") == 0
    assert create(CANONICALIZER) == 1
    assert create("somebody", "--dry-run=server") == 1


def test_a_decision_that_fails_denies(control_plane: ControlPlane, web: str) -> None:
    answer = patch(control_plane, web, {"metadata": {"labels": {"verdict": "boom"}}})
    assert answer.status == 403
    assert "internal-error" in answer.body["message"]


def test_a_change_blown_up_with_escapes_does_not_slip_past_the_guard(
    control_plane: ControlPlane, server: RunningServer, web: str
) -> None:
    # The API server's JSON writes "<" as six bytes: 1.4 MB of it in etcd is more than 8 MB for a webhook.
    blown = {"env": [{"name": "X", "value": "<" * 1_400_000}]}
    container = {**WEB["spec"]["template"]["spec"]["containers"][0], **blown}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert patch(control_plane, web, change).status == 200
    answer = patch(control_plane, web, {"metadata": {"labels": {"verdict": "deny"}}})
    assert (answer.status, MESSAGE in answer.body["message"]) == (403, True), answer.body["message"][:300]
    assert server.requests()


def test_a_write_waits_for_a_server_that_becomes_ready_in_time(
    control_plane: ControlPlane, server: RunningServer, web: str
) -> None:
    # 503 with Retry-After is tried again by the API server, within the 3 s of the webhook and over a new connection.
    server.settings.pointer.unlink()
    timer = threading.Timer(0.5, server.settings.pointer.touch)
    timer.start()
    began = time.monotonic()
    answer = patch(control_plane, web, {"metadata": {"labels": {"more": "1"}}})
    timer.join()
    assert answer.status == 200, answer.body
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("worker", WORKERS)
def test_a_server_that_drains_answers_the_api_server_and_its_idle_connections_do_not_hold_up_the_end(
    control_plane: ControlPlane, server: RunningServer, web: str, tmp_path: Path, worker: str
) -> None:
    environment = {"SETSCREW_ADMISSION_WORKER": worker, "SETSCREW_DRAIN_SECONDS": "5"}
    with admission_server(tmp_path, environment=environment) as other:
        api = ApiClient.load(str(control_plane.admin_kubeconfig))
        register(api, configuration(other))
        try:
            eventually(
                lambda: touched(control_plane, web) and other.requests(), "the API server calls the other server"
            )
            with ThreadPoolExecutor(16) as writers:
                assert all(writers.map(lambda _: touched(control_plane, web), range(64)))
            os.kill(other.process.pid, signal.SIGTERM)
            eventually(lambda: drains(other), "it drains")
            written = 0
            while drains(other):
                passed = touched(control_plane, web)
                # Only what was asked and answered before the end counts.
                if drains(other):
                    assert passed
                    written += 1
            assert written
            assert other.process.wait(30) == 0
            assert "SIGKILL" not in other.log.read_text()
        finally:
            register(api, configuration(server))


def touched(control_plane: ControlPlane, path: str) -> bool:
    """Whether a change of a label, about which the guard is asked, passes."""
    return bool(patch(control_plane, path, {"metadata": {"labels": {"n": str(time.monotonic())}}}).status == 200)


def drains(server: RunningServer) -> bool:
    try:
        return server.text("/readyz") == (503, "draining")
    except OSError:
        return False


def test_the_off_switch_leaves_a_note_and_lets_everything_pass(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    api = ApiClient.load(str(control_plane.admin_kubeconfig))
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    who = whoami(api)
    assert switch_off(api, "2026-11-22T12:00:00Z", who) == "changed"
    try:
        body = {"metadata": {"generateName": "free-", "labels": {"verdict": "deny"}}}
        assert eventually(lambda: control_plane.request("POST", path, body).status == 201, "the guard is off")
        live = current(api)
        assert live is not None
        assert (live.get("webhooks"), switched_off(live)) == (None, f"2026-11-22T12:00:00Z {who}")
        me = json.loads(control_plane.kubectl("auth", "whoami", "-o", "json").stdout)
        assert who == me["status"]["userInfo"]["username"]
        assert switch_off(api, "2026-11-22T13:00:00Z", "somebody else") == "unchanged"
    finally:
        assert register(api, configuration(server)) == "changed"
    assert switched_off(current(api)) == ""
