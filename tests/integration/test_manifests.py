"""Holds that the Kustomize base renders, and that a real API server takes what it renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.controlplane import ControlPlane

pytestmark = pytest.mark.integration

BASE = Path(__file__).parents[2] / "manifests" / "base"
CRDS = BASE.parent / "crds"
# What the leading replica writes on its own Pod.
LEADING = {"setscrew.dev/role": "leader"}


@pytest.fixture(scope="module")
def rendered(control_plane: ControlPlane) -> list[dict[str, Any]]:
    """The objects of the base, by the pinned kubectl."""
    return list(yaml.safe_load_all(control_plane.kubectl("kustomize", BASE).stdout))


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in objects if item["kind"] == kind]


def test_the_base_renders_every_object_of_its_files(rendered: list[dict[str, Any]]) -> None:
    files = [path for path in (*BASE.glob("*.yaml"), *CRDS.glob("*.yaml")) if path.name != "kustomization.yaml"]
    written = [item for path in files for item in yaml.safe_load_all(path.read_text())]
    identity = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in written}
    assert {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in rendered
    } == identity


def test_an_api_server_takes_every_object(
    control_plane: ControlPlane, namespace: str, rendered: list[dict[str, Any]]
) -> None:
    """Server-side dry-run with strict fields, in a namespace that exists."""
    text = yaml.safe_dump_all([{**item, "metadata": placed(item["metadata"], namespace)} for item in rendered])
    answer = control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == len(rendered)


def placed(metadata: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**metadata, "namespace": namespace} if "namespace" in metadata else metadata


def test_its_pods_fit_the_restricted_pod_security_level(
    control_plane: ControlPlane, namespace: str, rendered: list[dict[str, Any]]
) -> None:
    (deployment,) = of_kind(rendered, "Deployment")
    homes = [one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for one in of_kind(rendered, "Namespace")]
    assert homes == ["restricted", "restricted"]
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    control_plane.kubectl("create", "serviceaccount", account, "-n", namespace)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": namespace}}
    text = yaml.safe_dump({**pod, "spec": deployment["spec"]["template"]["spec"]})
    answer = control_plane.kubectl("create", "--dry-run=server", "-f", "-", input=text, check=False)
    assert answer.returncode == 0, answer.stderr


def test_services_and_budget_select_the_deployments_pods(rendered: list[dict[str, Any]]) -> None:
    (deployment,) = of_kind(rendered, "Deployment")
    labels = (deployment["spec"]["template"]["metadata"]["labels"] | LEADING).items()
    ports = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for service in of_kind(rendered, "Service"):
        assert service["spec"]["selector"].items() <= labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    (budget,) = of_kind(rendered, "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels
