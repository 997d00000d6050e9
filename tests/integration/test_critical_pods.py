"""Where pods of the class system-cluster-critical may stand outside of kube-system by quota alone, as on GKE, ours may.

A control plane of its own, whose API server is configured so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.controlplane import ControlPlane, Tools
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

BASE = Path(__file__).parents[2] / "manifests" / "base"
HOME = "setscrew-system"
LIMITED = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "ResourceQuotaConfiguration",
    "limitedResources": [
        {
            "resource": "pods",
            "matchScopes": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["system-cluster-critical"]},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def plane(alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    file = tmp_path_factory.mktemp("admission") / "admission.yaml"
    plugins = [{"name": "ResourceQuota", "configuration": LIMITED}]
    whole = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins}
    file.write_text(json.dumps(whole))
    with ControlPlane.start(tools, api_server_args=[f"--admission-control-config-file={file}"]) as one:
        one.kubectl("apply", *(f"--filename={BASE / name}" for name in ("namespace.yaml", "service-accounts.yaml")))
        yield one


def pod() -> dict[str, Any]:
    deployment = next(yaml.safe_load_all((BASE / "deployment.yaml").read_text()))
    spec = deployment["spec"]["template"]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": HOME}, "spec": spec}


def made(plane: ControlPlane) -> str:
    """What the API server says against the Pod; "" if nothing."""
    text = yaml.safe_dump(pod())
    return plane.kubectl("create", "--dry-run=server", "-f", "-", input=text, check=False).stderr


def test_our_pods_are_refused_without_the_quota_and_taken_with_it(plane: ControlPlane) -> None:
    assert "insufficient quota to match these scopes" in made(plane)
    plane.kubectl("apply", "-f", BASE / "quota.yaml")
    # A controller counts first what is there.
    eventually(lambda: made(plane) == "", "the quota is in force")
