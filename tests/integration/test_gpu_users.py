"""Who uses a GPU class, told where it matters: refusal, warning, report and explanation, on a real control plane.

There is no kubelet: Pods are put on their node and said to run by the test, as a kubelet would say it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from reconciler.gpu.users import published
from reconciler.gpu.users.model import ClassName, Users
from setscrew.cli import main
from setscrew.demo.stage import Stage, dump
from webhook.server.census import CensusFeed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LAYOUTS = """\
version: v1
mig-configs:
  halves:
  - devices: all
    mig-enabled: true
    mig-devices: {3g.40gb: 2}
  sevenths:
  - devices: all
    mig-enabled: true
    mig-devices: {1g.10gb: 7}
"""
EDITED = LAYOUTS.replace("3g.40gb: 2", "3g.40gb: 1")
DEVICES = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass"}
A100 = {**DEVICES, "metadata": {"name": "a100"}, "spec": {"extendedResourceName": "nvidia.com/gpu"}}
STRAY = {**DEVICES, "metadata": {"name": "mine"}, "spec": {"extendedResourceName": "nvidia.com/gpu"}}
OPERATOR = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gpu-operator"}}
MIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "mig-layouts", "namespace": "gpu-operator"},
    "data": {"config.yaml": LAYOUTS},
}
DECLARED = [OPERATOR, A100, MIG]
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "gpu-1", "labels": {"nvidia.com/mig.config": "halves", "nvidia.com/gpu.present": "true"}},
}
TENANT = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ml", "labels": {"team": "vision"}}}
PATCH_LAYOUTS = ("patch", "configmap", "mig-layouts", "-n", "gpu-operator", "--type=merge")


def pod(name: str, node: str = "") -> dict[str, Any]:
    wanted = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
    spec: dict[str, Any] = {"containers": [{"name": "train", "image": "registry.example/train:1", "resources": wanted}]}
    # A node without a kubelet is soon unreachable: nobody shall evict what is on it.
    spec |= {"tolerations": [{"operator": "Exists"}]} | ({"nodeName": node} if node else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ml"}, "spec": spec}


def fill(work: Path) -> None:
    (work / "gpu").mkdir()
    (work / "gpu" / "classes.yaml").write_text(yaml.safe_dump_all(DECLARED))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    sources = {"gpu": {"path": "gpu", "render": {"kind": "YAML"}}}
    with Stage(sources, fill, scan_seconds=1) as one:
        kubectl = one.plane.kubectl
        kubectl("apply", "--server-side", "--field-manager=argocd-controller", "-f", "-", input=dump(DECLARED))
        kubectl("apply", "-f", "-", input=dump([NODE, TENANT]))
        one.wait(
            "the service account of the tenant",
            lambda: kubectl("get", "serviceaccount", "default", "-n", "ml", check=False).returncode == 0,
        )
        kubectl("apply", "-f", "-", input=dump([pod("train-0", "gpu-1"), pod("train-1", "gpu-1"), pod("waiting")]))
        for name in ("train-0", "train-1"):
            kubectl("patch", "pod", name, "-n", "ml", "--subresource=status", "-p", '{"status":{"phase":"Running"}}')
        one.start_setscrew()
        one.wait("server forms", lambda: not one.unconfirmed())
        one.wait("the guard", one.guarded)
        one.wait("the count of users", lambda: used(one).running == 2)
        yield one


def used(stage: Stage) -> Users:
    census = CensusFeed(stage.state_dir / published.FILE, time.time).current()
    return census.classes.get(ClassName("Resource", "nvidia.com/gpu"), Users()) if census else Users()


def person(stage: Stage, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return stage.plane.kubectl(*words, kubeconfig=stage.person, check=False, **more)


def edit(text: str) -> tuple[str, ...]:
    return (*PATCH_LAYOUTS, "-p", json.dumps({"data": {"config.yaml": text}}))


def setscrew(stage: Stage, *words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--state", str(stage.state_dir)])
    assert result.exit_code in (0, 1), result.output
    return result.stdout


def test_a_second_class_of_one_resource_name_is_refused_with_those_who_would_lose_it(stage: Stage) -> None:
    said = person(stage, "create", "-f", "-", input=dump([STRAY])).stderr
    assert "denied the request" in said
    users = next(line for line in said.splitlines() if "ml" in line and "2" in line)
    assert "vision" in users
    assert said.index(users) < said.index("What to do:")


def test_a_looser_selector_is_refused_and_the_audit_record_keeps_the_numbers(stage: Stage) -> None:
    loose = '{"spec":{"selectors":[{"cel":{"expression":"true"}}]}}'
    said = person(stage, "patch", "deviceclass", "a100", "--type=merge", "-p", loose).stderr
    assert "denied the request" in said
    assert "vision" in said

    def numbers() -> list[str]:
        records = json.loads(setscrew(stage, "audit", "list", "--name", "a100", "-o", "json"))
        return [one.get("gpuUsers", "") for one in records["items"]]

    stage.wait("the record", lambda: any("running=2" in one for one in numbers()))


def test_who_uses_a_class_is_told_before_anybody_changes_it(stage: Stage) -> None:
    answer = json.loads(setscrew(stage, "explain", "deviceclass/a100", "-o", "json"))
    by_name = {(one["family"], one["name"]): one for one in answer["gpu"]["classes"]}
    resource = by_name["Resource", "nvidia.com/gpu"]
    assert (resource["running"], resource["pending"], resource["namespaces"]) == (2, 1, 1)
    assert resource["tenants"] == [{"namespace": "ml", "owner": "vision", "users": 3}]


def test_an_edit_of_layouts_is_refused_granted_with_a_warning_and_then_reported_as_latent(stage: Stage) -> None:
    said = person(stage, *edit(EDITED)).stderr
    assert "denied the request" in said
    assert "gpu-1" in said or "1 node" in said
    scope = ("--user", "dana", "--ref", "ConfigMap gpu-operator/mig-layouts", "--for", "1h")
    setscrew(stage, "grant", "create", *scope, "--reason", "a test", "--approver", "lena")

    def taken() -> bool:
        done = person(stage, *edit(EDITED))
        return done.returncode == 0 and "Warning:" in done.stderr

    stage.wait("the grant", taken)

    def finding() -> dict[str, Any]:
        items = (stage.drift() or {"items": []})["items"]
        return next((one for one in items if one["name"] == "mig-layouts"), {})

    stage.wait("the finding", lambda: finding().get("state") == "drifted")
    gpu = finding()["gpu"]
    assert gpu["effect"] == "latent"
    assert "relabelling" in gpu["trigger"]
    (layout,) = (one for one in gpu["classes"] if one["family"] == "MigLayout")
    assert (layout["name"], layout["nodes"], layout["running"]) == ("halves", 1, 2)
    assert "Latent" in setscrew(stage, "drift")
    by_hand = setscrew(stage, "diff", "--source", "gpu", "--kubeconfig", str(stage.person), "-o", "diff")
    for shown in (setscrew(stage, "drift", "-o", "diff"), by_hand):
        assert any(line.startswith("# Latent:") and gpu["trigger"] in line for line in shown.splitlines())
    assert person(stage, *edit(LAYOUTS)).returncode == 0
    stage.wait("no drift", lambda: not finding())
