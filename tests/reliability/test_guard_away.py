"""Lines 1 and 5 to 9 of docs/reference/reliability.md: a guard that is dead, or answers anything but a verdict.

Everything that the API server serves is guarded here with failurePolicy Fail; what Ignore means is seen on Services.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.limits import WEBHOOK_TIMEOUT_SECONDS
from reconciler.model.own import REGISTRATION
from reconciler.policy.model import Policy
from setscrew.controlplane import ControlPlane, Tools
from setscrew.controlplane.api import Answer
from tests.support.faulty_webhook import FAULTS, FaultyWebhook, faulty_webhook
from tests.support.kubelet import kubelet
from tests.support.waiting import eventually
from webhook.registration.apply import register
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import Guarded

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

STRICT, SOFT = Policy("strict", failure_policy="Fail"), Policy("soft")
START = yaml.safe_load((Path(__file__).parents[1] / "cases" / "reliability" / "cold-start.yaml").read_text())
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
# The API server gives up a webhook after 10 s unless its entry says otherwise; ours says 3.
FAR_BELOW_TEN_SECONDS = 8
# An installer brings definitions up to date; an admin who declares them in Git lets them fail closed, or not.
NOT_IN_GIT = ("customresourcedefinitions",)
NAMESPACES = ("calico-system", "setscrew-system", "storage-system", "plain")
PLACES = (*NAMESPACES, "kube-system")
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pools.network.example.com"},
    "spec": {
        "group": "network.example.com",
        "scope": "Cluster",
        "names": {"kind": "Pool", "plural": "pools"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A control plane that asks a webhook about every write that a rule of ours can match."""

    plane: ControlPlane
    webhook: FaultyWebhook

    def create(self, resource: str, namespace: str = "plain") -> Answer:
        """One CREATE of a ConfigMap or Service that leaves nothing behind."""
        body = {
            "metadata": {"generateName": "any-"},
            **({"spec": {"clusterIP": "None"}} if resource == "services" else {}),
        }
        return self.plane.request("POST", f"/api/v1/namespaces/{namespace}/{resource}?dryRun=All", body)

    def metric(self, name: str) -> float:
        """The sum of a counter of the API server over all entries of ours."""
        text = str(self.plane.request("GET", "/metrics").body)
        lines = [line for line in text.splitlines() if line.startswith(f"{name}{{") and "guard.setscrew.dev" in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture(scope="module")
def cluster(alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ControlPlane.start(tools) as plane, faulty_webhook(tmp_path_factory.mktemp("faulty")) as webhook:
        for namespace in NAMESPACES:
            plane.kubectl("create", "namespace", namespace)
        plane.kubectl("create", "-f", "-", input=json.dumps(DEFINITION))
        for namespace in PLACES:
            plane.kubectl("create", "deployment", "app", "-n", namespace, "--image=registry.example.com/app:1")
        one = Cluster(plane, webhook)
        eventually(lambda: all(pods(one, namespace) for namespace in PLACES), "Pods of all")
        register(ApiClient.load(str(plane.admin_kubeconfig)), everything(one))
        webhook.play("an internal error")
        eventually(lambda: one.create("configmaps").status == 500, "the registration is in force")
        yield one


def everything(cluster: Cluster) -> dict[str, Any]:
    """The registration of one who declares every kind in Git, and none of it may be written unasked."""
    kinds = Discovery(ApiClient.load(str(cluster.plane.admin_kubeconfig))).kinds().values()
    guarded = [
        Guarded(kind, SOFT if kind.resource == "services" else STRICT, place)
        for kind in kinds
        if kind.resource not in NOT_IN_GIT
        for place in (PLACES if kind.namespaced else (None,))
    ]
    url = UrlClient(cluster.webhook.url)
    return build(guarded, url, cluster.webhook.files.ca_bundle, "canonicalizer", own_namespace="setscrew-system")


def pods(cluster: Cluster, namespace: str) -> set[str]:
    """Names of the Pods that a Deployment has made there."""
    items = cluster.plane.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector=app").body["items"]
    return {item["metadata"]["name"] for item in items if not item["metadata"].get("deletionTimestamp")}


# Whole calls


@pytest.mark.parametrize("how", FAULTS)
def test_line_07_whatever_is_no_verdict_is_answered_by_the_failure_policy(cluster: Cluster, how: str) -> None:
    cluster.webhook.play(how)
    before = cluster.metric("apiserver_admission_webhook_fail_open_count")
    with ThreadPoolExecutor(2) as pool:
        strict, soft = pool.map(cluster.create, ("configmaps", "services"))
    assert (strict.status, "failed calling webhook" in strict.body["message"]) == (500, True), strict
    assert soft.status == 201, soft
    assert cluster.metric("apiserver_admission_webhook_fail_open_count") == before + 1


def test_line_07_the_same_calls_pass_where_the_webhook_says_yes(cluster: Cluster) -> None:
    cluster.webhook.play("yes")
    assert [cluster.create(resource).status for resource in ("configmaps", "services")] == [201, 201]


def test_line_08_a_stalled_webhook_costs_a_write_its_three_seconds(cluster: Cluster) -> None:
    cluster.webhook.play("stalled")
    cluster.webhook.asked.clear()
    began = time.monotonic()
    answer = cluster.create("configmaps")
    assert time.monotonic() - began < FAR_BELOW_TEN_SECONDS
    assert (answer.status, "failed calling webhook" in answer.body["message"]) == (500, True), answer
    assert [path.partition("?")[2] for path in cluster.webhook.asked] == [f"timeout={WEBHOOK_TIMEOUT_SECONDS}s"]


def test_line_09_stalled_webhooks_are_waited_for_at_once_and_not_one_after_the_other(cluster: Cluster) -> None:
    entries = [{**one, "name": f"n{number}.example.com"} for number, one in enumerate(other_entries(cluster))]
    body = {"metadata": {"name": "others"}, "webhooks": entries}
    assert cluster.plane.request("POST", CONFIGURATIONS, body).status == 201
    try:
        cluster.webhook.play("yes")
        eventually(lambda: asked_for_one_service(cluster) == len(entries) + 1, "the API server knows all of them")
        cluster.webhook.play("stalled")
        began = time.monotonic()
        assert cluster.create("services").status == 201
        assert time.monotonic() - began < FAR_BELOW_TEN_SECONDS < WEBHOOK_TIMEOUT_SECONDS * len(entries)
    finally:
        assert cluster.plane.request("DELETE", f"{CONFIGURATIONS}/others").status == 200


def other_entries(cluster: Cluster) -> list[dict[str, Any]]:
    """Four times our own entry of Services."""
    live = cluster.plane.request("GET", f"{CONFIGURATIONS}/{REGISTRATION}").body["webhooks"]
    (ours,) = [
        one
        for one in live
        if any("services" in rule["resources"] for rule in one["rules"] if rule["apiGroups"] == [""])
    ]
    return [ours] * 4


def asked_for_one_service(cluster: Cluster) -> int:
    cluster.webhook.asked.clear()
    assert cluster.create("services").status == 201
    return len(cluster.webhook.asked)


def test_line_09_no_entry_waits_longer_than_three_seconds_and_one_request_makes_one_call(cluster: Cluster) -> None:
    live = cluster.plane.request("GET", f"{CONFIGURATIONS}/{REGISTRATION}").body["webhooks"]
    assert {one["timeoutSeconds"] for one in live} == {WEBHOOK_TIMEOUT_SECONDS}
    cluster.webhook.play("yes")
    assert asked_for_one_service(cluster) == 1


# What must never have to wait


NEVER = {
    "bindings", "certificatesigningrequests", "componentstatuses", "endpoints", "endpointslices", "events",
    "leasecandidates", "leases", "localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectreviews",
    "selfsubjectrulesreviews", "subjectaccessreviews", "tokenreviews", "mutatingwebhookconfigurations",
    "validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations",
}  # fmt: skip


def test_line_05_no_rule_of_all_kinds_that_are_served_names_what_the_cluster_lives_by(cluster: Cluster) -> None:
    live = cluster.plane.request("GET", f"{CONFIGURATIONS}/{REGISTRATION}").body["webhooks"]
    named = {name.partition("/")[0] for one in live for rule in one["rules"] for name in rule["resources"]}
    assert named & NEVER == set()
    assert {"deployments", "configmaps", "clusterroles", "deviceclasses", "nodes", "pools"} <= named


def test_line_05_nodes_fail_open_and_their_status_arrives_only_with_other_metadata(cluster: Cluster) -> None:
    live = cluster.plane.request("GET", f"{CONFIGURATIONS}/{REGISTRATION}").body["webhooks"]
    nodes = {
        name: one
        for one in live
        for rule in one["rules"]
        for name in rule["resources"]
        if name.partition("/")[0] == "nodes"
    }
    assert set(nodes) == {"nodes", "nodes/status"}
    assert {one["failurePolicy"] for one in nodes.values()} == {"Ignore"}
    assert "metadata-changed" in {one["name"] for one in nodes["nodes/status"]["matchConditions"]}


@pytest.fixture(scope="module")
def dead(cluster: Cluster) -> Cluster:
    """The guard is gone: what is guarded with Fail is refused, which shows that its entries are in force."""
    cluster.webhook.play("stopped")
    assert cluster.create("configmaps").status == 500
    return cluster


def rows(line: int) -> list[Any]:
    """Writes of the data file, in its order: later ones stand on earlier ones."""
    return [pytest.param(row, id=row["name"]) for row in START if row["line"] == line]


@pytest.fixture(scope="module")
def identities(cluster: Cluster) -> dict[str, Path]:
    """A kubeconfig of each who writes in the data file."""
    return {
        row["as"]["user"]: cluster.plane.kubeconfig(row["as"]["user"], row["as"].get("groups", ())) for row in START
    }


def check_admitted(dead: Cluster, row: dict[str, Any], identities: dict[str, Path]) -> None:
    said = json.dumps(row["stdin"]) if "stdin" in row else None
    done = dead.plane.kubectl(
        *shlex.split(row["run"]), kubeconfig=identities[row["as"]["user"]], input=said, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("row", rows(1))
def test_line_01_with_a_dead_guard_nodes_and_pods_of_the_system_pass(
    dead: Cluster, identities: dict[str, Path], row: dict[str, Any]
) -> None:
    check_admitted(dead, row, identities)


@pytest.mark.parametrize("row", rows(6))
def test_line_06_with_a_dead_guard_what_a_cluster_starts_by_passes(
    dead: Cluster, identities: dict[str, Path], row: dict[str, Any]
) -> None:
    check_admitted(dead, row, identities)


def test_line_06_a_cluster_that_starts_cold_with_a_dead_guard_heals_by_itself(dead: Cluster) -> None:
    lost = {namespace: pods(dead, namespace) for namespace in PLACES}
    dead.plane.stop_component("kube-controller-manager")
    for namespace in lost:
        path = f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0&labelSelector=app"
        assert dead.plane.request("DELETE", path).status == 200
    dead.plane.stop_component("kube-apiserver")
    dead.plane.start_component("kube-apiserver")
    dead.plane.start_component("kube-controller-manager")
    with kubelet(dead.plane) as node:
        for namespace, before in lost.items():
            eventually(partial(running, dead, namespace, before), f"new Pods in {namespace}")
    assert node.faults == []
    assert dead.create("configmaps").status == 500


def running(cluster: Cluster, namespace: str, before: set[str]) -> bool:
    """Whether its Deployment says that Pods other than those of before are ready."""
    status = cluster.plane.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/app").body["status"]
    return bool(status.get("readyReplicas")) and not pods(cluster, namespace) & before
