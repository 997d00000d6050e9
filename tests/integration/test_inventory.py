"""What a running Setscrew knows of GPU classes in a cluster: who uses them, what only the cluster has broken.

One stage, one story: the tests follow each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.gpu.users.model import NOBODY, ClassName, Users
from reconciler.gpu.users.published import FILE, decode
from setscrew.demo.stage import Stage, dump

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ONE = ClassName("DeviceClass", "one")


def device_class(name: str, resource: str = "") -> dict[str, Any]:
    spec = {"extendedResourceName": resource} if resource else {}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def in_ml(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "ml"}, "spec": spec}


QUOTA = in_ml("ResourceQuota", "gpus", {"hard": {"pool.deviceclass.resource.k8s.io/devices": "4"}})
DECLARED = [device_class("one", "example.com/one"), QUOTA]
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ml"}}
RESOURCES = {"limits": {"example.com/one": "1"}, "requests": {"example.com/one": "1"}}
POD = in_ml("Pod", "train", {"containers": [{"name": "a", "image": "example.com/a", "resources": RESOURCES}]})


def fill(work: Path) -> None:
    declare(work, *DECLARED)


def declare(work: Path, *objects: dict[str, Any]) -> None:
    (work / "gpu").mkdir(exist_ok=True)
    (work / "gpu" / "all.yaml").write_text(dump(objects))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage({"gpu": {"path": "gpu", "render": {"kind": "YAML"}}}, fill, scan_seconds=1) as one:
        one.plane.kubectl("apply", "-f", "-", input=dump([NAMESPACE, device_class("pool"), *DECLARED]))
        one.start_setscrew()
        one.wait("a registration", one.guarded)
        yield one


def users(stage: Stage) -> Users | None:
    """Who uses the class, as admission reads it."""
    path = stage.state_dir / FILE
    return decode(path.read_bytes()).classes.get(ONE, NOBODY) if path.exists() else None


def told(stage: Stage) -> list[str]:
    """What the report says of the desired state."""
    found = stage.drift()
    return [] if found is None else [str(one) for one in found["summary"]["problems"]]


def stray(stage: Stage) -> list[Any]:
    """The class that Git does not declare, as it is published."""
    path = stage.state_dir / FILE
    found = decode(path.read_bytes()).neighbours if path.exists() else ()
    return [tree for tree in found if isinstance(tree, dict) and tree["metadata"]["name"] == "stray"]


def test_a_refusal_tells_who_uses_the_class(stage: Stage) -> None:
    stage.wait("a published census", lambda: users(stage) == NOBODY)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "ml"}}
    stage.plane.kubectl("apply", "-f", "-", input=dump([account, POD]))
    stage.wait("the Pod that waits", lambda: (users(stage) or NOBODY).pending == 1)
    patch = '{"spec": {"extendedResourceName": "example.com/other"}}'
    said = stage.plane.kubectl("patch", "deviceclass", "one", "-p", patch, kubeconfig=stage.person, check=False).stderr
    assert ("denied the request" in said, "ml" in said, "1 Pod" in said) == (True, True, True), said


def test_a_class_that_goes_takes_the_quota_on_it_along_and_the_report_says_so(stage: Stage) -> None:
    stage.wait("a report without problems", lambda: stage.drift() is not None and not told(stage))
    stage.plane.kubectl("delete", "deviceclass", "pool")
    stage.wait("the quota that caps nothing", lambda: told(stage))
    assert [line.startswith("QTA-02 in ResourceQuota ml/gpus") and "'pool'" in line for line in told(stage)] == [True]


def test_a_class_that_would_share_a_resource_with_one_of_the_cluster_stays_out(stage: Stage) -> None:
    stage.stop_setscrew()
    stage.plane.kubectl("delete", "validatingwebhookconfiguration", "setscrew")
    stage.plane.kubectl("apply", "-f", "-", input=dump([device_class("stray", "example.com/two")]))
    stage.start_setscrew()
    stage.wait("the stray class to be known", lambda: stray(stage))
    declare(stage.repository.work, *DECLARED, device_class("two", "example.com/two"))
    commit = stage.repository.commit("A second class")
    stage.repository.push()
    stage.wait("the push to be held", lambda: "DRA-04" in stage.log)
    assert not stage.enforced(commit)
    stage.plane.kubectl("delete", "deviceclass", "stray")
    stage.wait("that it is gone to be known", lambda: not stray(stage))
    commit = stage.repository.commit("Once more")
    stage.repository.push()
    stage.wait("the second class", lambda: stage.enforced(commit))
