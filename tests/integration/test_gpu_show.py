"""`setscrew gpu show` on a real API server with dynamic resource allocation, and a guard that runs beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage, dump
from tests.support.command import setscrew, setscrew_on
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

OBJECTS = Path(__file__).parents[1] / "cases" / "gpu" / "show" / "cluster.yaml"
CLASS = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gold}
spec:
  extendedResourceName: example.com/gold
  selectors:
  - cel: {expression: device.driver == "gpu.nvidia.com"}
"""


def _fill(work: Path) -> None:
    (work / "gpu").mkdir()
    (work / "gpu" / "class.yaml").write_text(CLASS)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    sources = {"gpu": {"path": "gpu", "render": {"kind": "YAML"}}}
    with Stage(sources, _fill, scan_seconds=1) as one:
        one.plane.kubectl("apply", "--server-side", "-f", "-", input=CLASS)
        trees = list(yaml.safe_load_all(OBJECTS.read_text()))
        one.plane.kubectl("apply", "-f", "-", input=dump(tree for tree in trees if tree["kind"] != "Pod"))
        status = json.dumps({"status": trees[0]["status"]})
        one.plane.kubectl("patch", "node", "gpu-1", "--subresource=status", "--type=merge", "-p", status)
        eventually(lambda: "default" in one.plane.kubectl("get", "sa", "-n", "ml").stdout, "the service account")
        one.plane.kubectl("apply", "-f", "-", input=dump(tree for tree in trees if tree["kind"] == "Pod"))
        one.start_setscrew()
        yield one


def classes(stage: Stage, *arguments: str) -> dict[str, dict[str, Any]]:
    result = setscrew_on(stage, "gpu", "show", "-o", "json", *arguments)
    assert result.returncode == 0, result.stderr
    listing = json.loads(result.stdout)
    assert listing["unread"] == {}
    return {f"{one['family']} {one['name']}": one for one in listing["classes"]}


def test_a_class_of_the_cluster_has_devices_users_and_the_commit_since_which_it_is_guarded(stage: Stage) -> None:
    eventually(lambda: (classes(stage)["DeviceClass gold"]["guarded"] or {}).get("commit"), "the adoption")
    eventually(lambda: classes(stage)["DeviceClass gold"]["users"]["pending"] == 1, "the claim of the Pod")
    gold = classes(stage)["DeviceClass gold"]
    assert gold["definedBy"] == {"object": "DeviceClass.resource.k8s.io gold", "place": "live"}
    assert {"what": "devices", "amount": "2", "name": "gpu.nvidia.com", "where": "1 node"} in gold["capacity"]
    assert {"what": "quota", "amount": "6", "name": "gold", "where": "in ml"} in gold["capacity"]
    assert [(one["namespace"], one["owner"]) for one in gold["users"]["tenants"]] == [("ml", "language")]
    commit = stage.repository.git("rev-parse", "HEAD").strip()
    assert (gold["guarded"]["source"], gold["guarded"]["commit"]) == ("gpu", commit)
    assert gold["guarded"]["since"].endswith("Z")


def test_what_nobody_declares_is_live_and_not_guarded(stage: Stage) -> None:
    found = classes(stage)
    layout = found["MigLayout halves"]
    assert (layout["definedBy"]["object"], layout["guarded"]) == ("ConfigMap gpu-operator/layouts", None)
    assert layout["users"]["nodes"] == 1
    offered = found["Resource nvidia.com/gpu"]
    assert offered["definedBy"] is None
    assert {"what": "offered", "amount": "8", "name": "nvidia.com/gpu", "where": "1 node"} in offered["capacity"]
    assert offered["users"]["pending"] == 1


def test_nodes_are_shown_to_whoever_asks_for_them(stage: Stage) -> None:
    assert "Node gpu-1" not in classes(stage)
    assert list(classes(stage, "--family", "Node")) == ["Node gpu-1"]
    told = setscrew_on(stage, "gpu", "show")
    assert "--family Node shows them" in told.stderr


def test_the_table_says_it_in_words_without_colours(stage: Stage) -> None:
    result = setscrew_on(stage, "gpu", "show", "--family", "DeviceClass")
    assert result.returncode == 0, result.stderr
    words = " ".join(result.stdout.split())
    assert words.startswith("CLASS DEFINED BY CAPACITY USERS GUARDED SINCE")
    assert "DeviceClass gold" in words
    assert "up to 2 devices of" in words  # the cell may fold
    assert "\x1b" not in result.stdout


def test_kinds_that_may_not_be_read_are_named_and_nobody_is_never_said(stage: Stage) -> None:
    stage.plane.kubectl(
        "create", "clusterrole", "classes", "--verb=get,list", "--resource=deviceclasses.resource.k8s.io"
    )
    stage.plane.kubectl("create", "clusterrolebinding", "classes", "--clusterrole=classes", "--user=reader")
    kubeconfig = str(stage.plane.kubeconfig("reader"))
    result = setscrew("gpu", "show", "--kubeconfig", kubeconfig, environment=_without_state())
    assert result.returncode == 0, result.stderr
    assert "DeviceClass gold" in result.stdout
    assert "not known" in result.stdout
    assert "nobody" not in result.stdout
    unread = {line.split(": ")[2] for line in result.stderr.splitlines() if "could not be read" in line}
    assert {"Pod", "Node", "ConfigMap", "resource.k8s.io/ResourceClaim"} <= unread


def test_without_a_cluster_it_is_one_clear_line(tmp_path: Path) -> None:
    config = tmp_path / "nobody.kubeconfig"
    cluster = {"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
    tree = {"apiVersion": "v1", "kind": "Config", "current-context": "a", "clusters": [cluster], "contexts": [context]}
    config.write_text(json.dumps(tree | {"users": [{"name": "a", "user": {"token": "none"}}]}))
    result = setscrew("gpu", "show", "--kubeconfig", config, environment=_without_state())
    assert (result.returncode, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1


def _without_state() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("SETSCREW_")}
