"""Holds that the control plane is a real one, and that nothing of it outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from setscrew.controlplane import ControlPlane, ControlPlaneError, KubectlError, Tools
from setscrew.controlplane.pins import tools_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

OWNER = """
import json, signal, sys, time
from setscrew.controlplane import ControlPlane
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts jobs in the background ignores it
with ControlPlane.start() as plane:
    print(json.dumps({"pids": dict(plane.pids), "directory": str(plane.directory)}), flush=True)
    time.sleep(600)
"""


def test_it_is_the_pinned_version_and_its_controllers_run(control_plane: ControlPlane) -> None:
    versions = json.loads(control_plane.kubectl("version", "-o", "json").stdout)
    assert versions["serverVersion"]["gitVersion"] == f"v{tools_of(os.environ)['kube-apiserver'].module.version}"
    assert versions["clientVersion"]["gitVersion"] == "v1.36.3"
    assert control_plane.request("GET", "/api/v1/namespaces/default/serviceaccounts/default").status == 200


def test_gpu_classes_are_served(control_plane: ControlPlane) -> None:
    kinds = control_plane.kubectl("api-resources", "--api-group=resource.k8s.io", "-o", "name").stdout.split()
    assert {"deviceclasses.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"} <= set(kinds)


def test_admin_is_a_person_of_system_masters(control_plane: ControlPlane) -> None:
    whoami = json.loads(control_plane.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert whoami["username"] == "admin"
    assert "system:masters" in whoami["groups"]


def test_a_user_has_no_rights_until_bound(control_plane: ControlPlane, namespace: str) -> None:
    carol = control_plane.kubeconfig("carol", ["developers"])
    read = ("get", "configmaps", "-n", namespace)
    refused = control_plane.kubectl(*read, kubeconfig=carol, check=False)
    assert refused.returncode == 1
    assert 'User "carol" cannot list resource "configmaps"' in refused.stderr
    control_plane.kubectl("create", "rolebinding", "view", "--clusterrole=view", "--group=developers", "-n", namespace)
    assert eventually(
        lambda: control_plane.kubectl(*read, kubeconfig=carol, check=False).returncode == 0, "carol may read"
    )


def test_an_editor_may_write_in_the_namespace_only(control_plane: ControlPlane, namespace: str, editor: Path) -> None:
    control_plane.kubectl("create", "configmap", "mine", "-n", namespace, kubeconfig=editor)
    with pytest.raises(KubectlError, match="forbidden"):
        control_plane.kubectl("create", "configmap", "mine", "-n", "default", kubeconfig=editor)


def test_a_service_account_shows_a_bound_token(control_plane: ControlPlane, namespace: str) -> None:
    robot = control_plane.service_account_kubeconfig(namespace, "robot")
    answer = control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=robot).stdout
    info = json.loads(answer)["status"]["userInfo"]
    assert info["username"] == f"system:serviceaccount:{namespace}:robot"
    assert info["uid"]
    assert info["extra"]["authentication.kubernetes.io/credential-id"]


def test_anonymous_clients_and_plain_users_are_no_front_proxies(control_plane: ControlPlane) -> None:
    mallory = control_plane.kubeconfig("mallory")
    text = control_plane.kubectl(
        "get", "--raw", "/api/v1/namespaces", "--as=admin", "--as-group=system:masters", kubeconfig=mallory, check=False
    )
    assert "cannot impersonate" in text.stderr
    published = control_plane.request(
        "GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    ).body["data"]
    assert published["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert published["requestheader-client-ca-file"] != published["client-ca-file"]


def test_an_unserved_apiservice_is_judged_as_in_production(control_plane: ControlPlane, namespace: str) -> None:
    name = "v1.nobody.example.com"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": "nobody.example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"name": "nobody", "namespace": namespace},
            "insecureSkipTLSVerify": True,
        },
    }
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    assert control_plane.request("POST", path, service).status == 201
    try:
        assert eventually(lambda: _condition(control_plane, f"{path}/{name}"), "a condition") == "ServiceNotFound"
    finally:
        control_plane.request("DELETE", f"{path}/{name}")


def test_a_deployment_gets_a_replica_set_and_pods(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "deployment", "web", "--image=example.com/web:1", "--replicas=2", "-n", namespace)
    assert eventually(lambda: _items(control_plane, "pods", namespace, 2), "two pods")
    (replica_set,) = _items(control_plane, "replicasets", namespace, 1)
    assert replica_set["metadata"]["ownerReferences"][0]["kind"] == "Deployment"


def test_dependents_go_with_their_owner(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "owner", "-n", namespace)
    uid = control_plane.kubectl("get", "cm/owner", "-n", namespace, "-o", "jsonpath={.metadata.uid}").stdout
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    dependent = {"metadata": {"name": "dependent", "ownerReferences": [reference]}}
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    assert control_plane.request("POST", maps, dependent).status == 201
    control_plane.kubectl("delete", "cm/owner", "-n", namespace)
    assert eventually(
        lambda: control_plane.request("GET", f"{maps}/dependent").status == 404, "the dependent is collected"
    )


def test_a_deleted_namespace_goes_with_its_content(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "doomed")
    control_plane.kubectl("create", "configmap", "inside", "-n", "doomed")
    control_plane.kubectl("delete", "namespace", "doomed", "--wait=false")
    gone = lambda: control_plane.request("GET", "/api/v1/namespaces/doomed").status == 404  # noqa: E731
    assert eventually(gone, "the namespace is gone")


def test_the_autoscaler_scales(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "deployment", "web", "--image=example.com/web:1", "-n", namespace)
    control_plane.kubectl("autoscale", "deployment/web", "--min=3", "--max=5", "--cpu=80%", "-n", namespace)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    assert eventually(lambda: control_plane.request("GET", path).body["spec"]["replicas"] == 3, "3 replicas")
    events = control_plane.kubectl("get", "events", "-n", namespace, "-o", "json").stdout
    assert any(
        event["reason"] == "SuccessfulRescale" and event["source"]["component"] == "horizontal-pod-autoscaler"
        for event in json.loads(events)["items"]
    )


def test_two_run_side_by_side_and_options_reach_the_api_server(
    control_plane: ControlPlane, tools: Tools, tmp_path: Path
) -> None:
    policy = tmp_path / "audit.yaml"
    policy.write_text('{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}')
    with ControlPlane.start(
        tools,
        audit_policy=policy,
        runtime_config=["resource.k8s.io/v1beta2=true"],
        feature_gates=["MutatingAdmissionPolicy=true"],
    ) as other:
        assert other.server != control_plane.server
        other.kubectl("create", "configmap", "only-there")
        assert control_plane.request("GET", "/api/v1/namespaces/default/configmaps/only-there").status == 404
        assert other.request("GET", "/apis/resource.k8s.io/v1beta2").status == 200
        assert "only-there" in other.audit_log.read_text()
        other.kubectl("create", "deployment", "web", "--image=example.com/web:1")
        controller = '"system:serviceaccount:kube-system:replicaset-controller"'
        assert eventually(lambda: controller in other.audit_log.read_text(), "controllers have accounts of their own")
    assert not other.directory.exists()
    with pytest.raises(ControlPlaneError):
        other.request("GET", "/readyz")


def test_a_component_can_be_stopped_frozen_and_started_again(tools: Tools) -> None:
    with ControlPlane.start(tools) as plane:
        plane.stop_component("kube-controller-manager")
        plane.kubectl("create", "deployment", "web", "--image=example.com/web:1")
        time.sleep(1)
        assert not _items(plane, "pods", "default", 1)
        plane.start_component("kube-controller-manager")
        assert eventually(lambda: _items(plane, "pods", "default", 1), "the controllers are back")
        plane.stop_component("etcd")
        plane.start_component("etcd")
        assert plane.kubectl("get", "deployment", "web", "-o", "name").stdout == "deployment.apps/web\n"
        plane.pause_component("kube-apiserver")
        with pytest.raises(KubectlError, match=r"(?i)time"):
            plane.kubectl("get", "--raw", "/readyz", "--request-timeout=1s")
        plane.resume_component("kube-apiserver")
        assert plane.kubectl("get", "--raw", "/readyz").stdout == "ok"
        plane.stop_component("kube-apiserver")
        plane.start_component("kube-apiserver")
        assert plane.kubectl("get", "deployment", "web", "-o", "name").stdout == "deployment.apps/web\n"


@pytest.mark.timeout(400)
def test_many_start_at_once(tools: Tools) -> None:
    with ThreadPoolExecutor(4) as pool:
        planes = list(pool.map(lambda _: ControlPlane.start(tools), range(4)))
    try:
        assert len({plane.server for plane in planes}) == 4
        assert all(plane.request("GET", "/readyz").status == 200 for plane in planes)
    finally:
        for plane in planes:
            plane.stop()


def test_a_failed_start_shows_the_logs_and_leaves_nothing(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ControlPlaneError) as caught:
        ControlPlane.start(tools, api_server_args=["--no-such-flag"])
    assert "kube-apiserver ended with status 1" in str(caught.value)
    assert "unknown flag: --no-such-flag" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_an_owner_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    with _owner(tmp_path) as (process, facts):
        process.send_signal(number)
        process.wait(20)
    _assert_nothing_left(tmp_path)
    assert eventually(lambda: not _alive(facts), f"all of {facts} are dead")


def test_nothing_outlives_an_owner_that_is_killed_while_it_starts(tmp_path: Path) -> None:
    with _spawn(tmp_path) as process:
        assert eventually(lambda: [line for line in _mentioning(tmp_path) if "kube-apiserver" in line], "it starts")
        process.kill()
    _assert_nothing_left(tmp_path)


def test_ctrl_c_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    with _spawn(tmp_path, "-m", "setscrew.controlplane", "up") as process:
        assert process.stdout is not None
        kubeconfig = Path(process.stdout.readline().strip())
        assert json.loads(kubeconfig.read_text())["current-context"] == "setscrew"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole foreground group
        assert process.wait(20) == 0
    _assert_nothing_left(tmp_path)


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with _owner(tmp_path) as (process, facts):
        os.kill(facts["pids"]["supervisor"], signal.SIGKILL)
        components = {"pids": {k: v for k, v in facts["pids"].items() if k != "supervisor"}}
        assert eventually(lambda: not _alive(components), "the kernel ends the components")
        process.kill()


def test_what_died_with_its_supervisor_is_swept_by_the_next_start(
    tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _owner(tmp_path) as (process, facts):
        os.kill(facts["pids"]["supervisor"], signal.SIGKILL)
        process.kill()
    assert eventually(lambda: not _alive(facts), "all are dead")
    left = Path(facts["directory"])
    assert left.is_dir()
    os.utime(left, (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ControlPlane.start(tools) as plane:
        assert list(tmp_path.iterdir()) == [plane.directory]


@contextmanager
def _owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that owns a control plane, in a session of its own as a terminal would give it."""
    with _spawn(tmp_path) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())


@contextmanager
def _spawn(tmp_path: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, *(args or ("-c", OWNER))]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _assert_nothing_left(tmp_path: Path) -> None:
    assert eventually(lambda: not _mentioning(tmp_path), f"no process of {tmp_path}")
    assert eventually(lambda: list(tmp_path.iterdir()) == [], "an empty directory")


def _mentioning(tmp_path: Path) -> list[str]:
    """The command lines of running processes that name the directory: supervisor and components all do."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_text().replace("\0", " "))
    return [line for line in lines if f"{tmp_path}/" in line]


def _alive(facts: dict[str, Any]) -> list[int]:
    return [pid for pid in facts["pids"].values() if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _items(plane: ControlPlane, kind: str, namespace: str, count: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(plane.kubectl("get", kind, "-n", namespace, "-o", "json").stdout)["items"]
    return items if len(items) >= count else []


def _condition(plane: ControlPlane, path: str) -> str | None:
    conditions = plane.request("GET", path).body.get("status", {}).get("conditions", [])
    return conditions[0]["reason"] if conditions else None
