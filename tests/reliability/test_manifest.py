"""Lines 10 and 19 of docs/reference/reliability.md, as far as they are a matter of the manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.limits import DRAIN_SECONDS, WEBHOOK_TIMEOUT_SECONDS

BASE = Path(__file__).parents[2] / "manifests" / "base"
# After so long at the latest no part of a cluster calls a Pod that is to end.
ENDPOINT_SECONDS = 5


@pytest.fixture(scope="module")
def specs() -> dict[str, Any]:
    """The specs of the Deployment and its PodDisruptionBudget, by kind."""
    return {one["kind"]: one["spec"] for one in yaml.safe_load_all((BASE / "deployment.yaml").read_text())}


def test_line_10_replicas_stand_apart_and_go_one_at_a_time(specs: dict[str, Any]) -> None:
    deployment, pod = specs["Deployment"], specs["Deployment"]["template"]["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (apart,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert apart["podAffinityTerm"]["labelSelector"] == deployment["selector"]
    assert specs["PodDisruptionBudget"]["maxUnavailable"] == 1
    assert specs["PodDisruptionBudget"]["selector"] == deployment["selector"]


def test_line_10_the_guard_is_neither_evicted_nor_throttled(specs: dict[str, Any]) -> None:
    pod = specs["Deployment"]["template"]["spec"]
    assert pod["priorityClassName"] == "system-cluster-critical"
    for container in (*pod["initContainers"], *pod["containers"]):
        assert "cpu" not in container["resources"]["limits"]
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def test_line_19_a_replica_serves_until_its_endpoint_is_gone_and_then_ends_its_reviews(specs: dict[str, Any]) -> None:
    pod = specs["Deployment"]["template"]["spec"]
    (container,) = pod["containers"]
    asleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert asleep >= ENDPOINT_SECONDS
    assert pod["terminationGracePeriodSeconds"] >= asleep + DRAIN_SECONDS + WEBHOOK_TIMEOUT_SECONDS
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
