"""What cannot work passes by no right: a grant, no declaration, the time after the off-switch. A real control plane."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage, dump
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NAME = "example.com/a100"
CLASS: dict[str, Any] = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass"}
A100 = {**CLASS, "metadata": {"name": "a100"}, "spec": {"extendedResourceName": NAME}}
STRAY = {**CLASS, "metadata": {"name": "stray"}, "spec": {"extendedResourceName": NAME}}
OPERATOR = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gpu-operator"}}
REF = "ConfigMap gpu-operator/layouts"


def layouts(**devices: int) -> str:
    entry = {"devices": "all", "device-filter": "0x20B210DE", "mig-enabled": True, "mig-devices": devices}
    return yaml.safe_dump({"version": "v1", "mig-configs": {"ours": [entry]}})


MIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "layouts", "namespace": "gpu-operator"},
    "data": {"config.yaml": layouts(**{"3g.40gb": 2})},
}
DECLARED = [OPERATOR, A100, MIG]


def fill(work: Path) -> None:
    (work / "gpu").mkdir()
    (work / "gpu" / "classes.yaml").write_text(yaml.safe_dump_all(DECLARED))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    sources = {"gpu": {"path": "gpu", "render": {"kind": "YAML"}}}
    with Stage(sources, fill, scan_seconds=1) as one:
        one.plane.kubectl(
            "apply", "--server-side", "--field-manager=argocd-controller", "-f", "-", input=dump(DECLARED)
        )
        one.start_setscrew()
        one.wait("server forms", lambda: not one.unconfirmed())
        one.wait("the guard", one.guarded)
        yield one


def person(stage: Stage, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return stage.plane.kubectl(*words, kubeconfig=stage.person, check=False, **more)


def edit(stage: Stage, **devices: int) -> str:
    patch = json.dumps({"data": {"config.yaml": layouts(**devices)}})
    return person(stage, "patch", "configmap", "layouts", "-n", "gpu-operator", "--type=merge", "-p", patch).stderr


def test_a_grant_permits_another_layout_and_none_that_cannot_be_placed(stage: Stage) -> None:
    scope = ("--user", "dana", "--ref", REF, "--for", "1h")
    assert "denied the request" in edit(stage, **{"1g.10gb": 7})
    done = setscrew_on(stage, "grant", "create", *scope, "--reason", "a test", "--approver", "lena")
    assert done.returncode == 0, done.stderr
    stage.wait("the grant", lambda: "under grant" in edit(stage, **{"1g.10gb": 7}))
    said = edit(stage, **{"3g.40gb": 2, "1g.10gb": 1})
    assert "denied the request" in said
    assert "data[config.yaml].mig-configs.ours[0]" in said
    assert "MIG-04" in said
    assert "A grant permits what differs from Git, not what cannot work." in said

    def codes() -> set[str]:
        found = json.loads(setscrew_on(stage, "audit", "list", "--name", "layouts", "-o", "json").stdout)
        return {one["code"] for one in found["items"]}

    stage.wait("the record", lambda: "gpu-rule" in codes())


def test_a_class_that_slipped_in_is_reported_and_its_deletion_says_what_it_leaves_behind(stage: Stage) -> None:
    assert setscrew_on(stage, "register", "--remove").returncode == 0
    stage.wait("the off-switch", lambda: person(stage, "create", "-f", "-", input=dump([STRAY])).returncode == 0)
    assert setscrew_on(stage, "register").returncode == 0
    stage.wait("the guard", stage.guarded)

    def problems() -> str:
        return json.dumps((stage.drift() or {}).get("summary", {}).get("problems", ""))

    stage.wait("the report of two classes with one name", lambda: "DRA-04" in problems())
    assert "stray" in problems()
    stage.wait("the report of the stray", lambda: "stray" in {one["name"] for one in (stage.drift() or {})["items"]})
    said = person(stage, "delete", "deviceclass", "stray").stderr
    assert f"Warning: Setscrew: kube-scheduler forgets {NAME}" in said
    repair = next(line for line in said.splitlines() if "kubectl annotate deviceclass a100" in line)
    assert person(stage, "annotate", "deviceclass", "a100", "touched=1", "--overwrite").returncode == 0, repair
    stage.wait("a report without them", lambda: "DRA-04" not in problems())
