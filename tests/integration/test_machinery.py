"""The cluster's own controllers at work on guarded objects: each does what it is there for, and none is refused.

What a controller achieves is asserted on the cluster; that nobody of the control plane was denied, on its audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from setscrew.demo.stage import dump
from tests.support import audit
from tests.support.machinery import IN, Machinery, is_machinery, running
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SHOP, WIDGETS, LEAVING, JOB = "shop.yaml", "widgets.yaml", "leaving.yaml", "job.yaml"
DENIED = "denied the request"


@pytest.fixture(scope="module")
def machinery(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machinery]:
    with running(tmp_path_factory.mktemp("machinery"), (SHOP, WIDGETS)) as one:
        yield one


# Rollouts


def test_a_new_image_in_git_rolls_out_to_the_end(machinery: Machinery) -> None:
    workloads = {"web": "deployment", "db": "statefulset", "agent": "daemonset"}
    old, new = ({name: f"registry.example.com/{name}:{number}" for name in workloads} for number in (1, 2))
    for name, kind in workloads.items():
        eventually(partial(machinery.rolled_out, kind, name, old[name]), f"{name} as it was")
    machinery.change(SHOP, {old[name]: new[name] for name in workloads})
    for name, kind in workloads.items():
        eventually(partial(machinery.rolled_out, kind, name, new[name]), f"{name} with its new image")
    sets = machinery.get("replicasets", *IN, "-l", "app=web")
    assert sets is not None
    assert sorted(one["spec"]["replicas"] for one in sets["items"]) == [0, 2]


@pytest.mark.parametrize(("kind", "name"), [("deployment", "worker"), ("statefulset", "db"), ("daemonset", "agent")])
def test_a_restart_by_a_person_replaces_every_pod(machinery: Machinery, kind: str, name: str) -> None:
    selected = ("pods", *IN, "-l", f"app={name}")
    before = set(machinery.value(".items[*].metadata.uid", *selected).split())
    done = machinery.as_person("rollout", "restart", f"{kind}/{name}", *IN)
    assert done.returncode == 0, done.stderr
    done = machinery.as_person("rollout", "status", f"{kind}/{name}", *IN, "--timeout=60s")
    assert done.returncode == 0, done.stderr
    eventually(lambda: not before & set(machinery.value(".items[*].metadata.uid", *selected).split()), "other Pods")


# Autoscalers


@pytest.mark.parametrize(
    ("name", "lowest", "raised"),
    [("worker", "2", "3"), ("store", "4", "5")],
    ids=["replicas that Git leaves out", "replicas that Git declares"],
)
def test_line_15_an_autoscaler_of_git_moves_replicas_to_its_bounds(
    machinery: Machinery, name: str, lowest: str, raised: str
) -> None:
    eventually(lambda: machinery.replicas(name) == lowest, f"{lowest} replicas of {name}")
    machinery.change(SHOP, {f"minReplicas: {lowest}": f"minReplicas: {raised}"})
    eventually(lambda: machinery.replicas(name) == raised, f"{raised} replicas of {name}")
    eventually(lambda: len(machinery.images(name)) == int(raised), "as many Pods")
    done = machinery.as_person("scale", f"deployment/{name}", *IN, "--replicas=9")
    assert DENIED in done.stderr
    assert machinery.replicas(name) == raised


def test_an_autoscaler_comes_down_to_a_lower_maximum(machinery: Machinery) -> None:
    machinery.change(SHOP, {"minReplicas: 3\n  maxReplicas: 4": "minReplicas: 1\n  maxReplicas: 1"})
    eventually(lambda: machinery.replicas("worker") == "1", "one replica of worker")
    eventually(lambda: len(machinery.images("worker")) == 1, "one Pod of worker")


# Jobs


def test_a_job_of_git_is_removed_by_its_time_to_live_and_by_nobody_else(machinery: Machinery) -> None:
    eventually(lambda: machinery.value(".status.succeeded", "job", "once", *IN) == "1", "a Job that is done")
    machinery.declare(JOB)
    eventually(lambda: machinery.gone("job", "import", *IN), "the Job is removed")
    assert machinery.images("import") == []
    assert DENIED in machinery.as_person("delete", "job", "once", *IN).stderr
    machinery.push({JOB: None}, "No Job")


# Namespaces


def test_a_new_namespace_gets_what_controllers_put_into_each(machinery: Machinery) -> None:
    machinery.declare(LEAVING)
    place = ("-n", "leaving")
    eventually(lambda: machinery.get("configmap", "kube-root-ca.crt", *place), "the root CA")
    eventually(lambda: machinery.get("serviceaccount", "default", *place), "the service account")
    eventually(lambda: len(machinery.images("web", *place)) == 2, "its Pods")


def test_a_namespace_that_holds_guarded_objects_is_refused_to_a_person(machinery: Machinery) -> None:
    assert DENIED in machinery.as_person("delete", "namespace", "leaving", "--wait=false").stderr
    assert machinery.value(".status.phase", "namespace", "leaving") == "Active"


@pytest.mark.parametrize("who", ["the writer", "a person"])
def test_line_14_a_namespace_that_git_dropped_terminates_with_all_that_was_guarded(
    machinery: Machinery, who: str
) -> None:
    if machinery.gone("namespace", "leaving"):
        machinery.declare(LEAVING)
    machinery.push({LEAVING: None}, "No more leaving")
    delete = machinery.as_writer if who == "the writer" else machinery.as_person
    done = delete("delete", "namespace", "leaving", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    assert machinery.gone("namespace", "leaving")


# Garbage collection


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_what_git_declares_with_its_owner_goes_with_it(machinery: Machinery, cascade: str) -> None:
    machinery.declare("owned.yaml", machinery.owned(cascade))
    assert DENIED in machinery.as_person("delete", "configmap", f"owned-by-{cascade}", *IN).stderr
    done = machinery.as_person("delete", "configmap", cascade, *IN, f"--cascade={cascade}", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    eventually(lambda: machinery.gone("configmap", f"owned-by-{cascade}", *IN), "the owned one is collected")
    machinery.push({"owned.yaml": None}, "Owned no more")


def test_an_owner_that_leaves_its_own_behind_can_go(machinery: Machinery) -> None:
    machinery.declare("owned.yaml", machinery.owned("orphan"))
    done = machinery.as_person("delete", "configmap", "orphan", *IN, "--cascade=orphan", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    assert machinery.value(".metadata.ownerReferences", "configmap", "owned-by-orphan", *IN) == ""
    machinery.push({"owned.yaml": None}, "Owned no more")


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_what_a_deployment_made_is_collected_when_git_drops_it(machinery: Machinery, cascade: str) -> None:
    text = machinery.text(SHOP).split("---\n")[1].replace("web", "brief")
    machinery.declare("brief.yaml", text)
    eventually(lambda: len(machinery.images("brief")) == 2, "its Pods")
    assert DENIED in machinery.as_person("delete", "deployment", "brief", *IN).stderr
    machinery.push({"brief.yaml": None}, "No more brief")
    done = machinery.as_writer("delete", "deployment", "brief", *IN, f"--cascade={cascade}", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    if cascade == "orphan":
        sets = ("replicasets", *IN, "-l", "app=brief")
        assert machinery.value(".items[*].metadata.ownerReferences", *sets) == ""
        assert len(machinery.images("brief")) == 2
        assert machinery.as_person("delete", *sets).returncode == 0
    eventually(lambda: machinery.images("brief") == [], "its Pods are collected")


def test_a_custom_kind_that_git_dropped_goes_with_its_objects(machinery: Machinery) -> None:
    assert DENIED in machinery.as_person("delete", "crd", "widgets.shop.example.com").stderr
    assert machinery.value(".spec.size", "widget", "first", *IN) == "1"
    machinery.push({WIDGETS: None}, "No widgets")
    done = machinery.as_writer("delete", "crd", "widgets.shop.example.com", "--timeout=60s")
    assert done.returncode == 0, done.stderr


# What else controllers write


def test_a_claim_is_bound_and_its_protection_goes_with_it(machinery: Machinery) -> None:
    eventually(lambda: machinery.value(".status.phase", "pvc", "files", *IN) == "Bound", "a bound claim")
    assert machinery.value(".spec.volumeName", "pvc", "files", *IN) == "shop-files"
    assert machinery.value(".spec.claimRef.name", "pv", "shop-files") == "files"
    text = machinery.text(SHOP)
    kept = [one for one in text.split("---\n") if "kind: PersistentVolume" not in one]
    machinery.push({SHOP: "---\n".join(kept)}, "No files")
    for what in (("pvc", "files", *IN), ("pv", "shop-files")):
        done = machinery.as_writer("delete", *what, "--timeout=60s")
        assert done.returncode == 0, done.stderr


def test_rules_are_gathered_into_an_aggregated_role(machinery: Machinery) -> None:
    machinery.change(SHOP, {"verbs: [get]": "verbs: [get, list]"})
    verbs = ("clusterrole", "shop-viewer")
    eventually(lambda: machinery.value(".rules[0].verbs", *verbs) == '["get","list"]', "the gathered rules")


def test_a_token_is_written_into_the_secret_that_git_declares_for_it(machinery: Machinery) -> None:
    token = eventually(lambda: machinery.value(".data.token", "secret", "app-token", *IN), "a token")
    machinery.sync(SHOP)
    assert machinery.value(".data.token", "secret", "app-token", *IN) == token
    patch = '{"data":{"token":"Zm9yZ2Vk"}}'
    assert DENIED in machinery.as_person("patch", "secret", "app-token", *IN, "--type=merge", "-p", patch).stderr


def test_endpoints_budgets_and_quotas_are_kept(machinery: Machinery) -> None:
    slices = ("endpointslices", *IN, "-l", "kubernetes.io/service-name=web")
    eventually(lambda: len(machinery.value(".items[*].endpoints[*].addresses", *slices).split()) == 2, "2 endpoints")
    eventually(lambda: machinery.value(".status.currentHealthy", "pdb", "web", *IN) == "2", "two healthy Pods")
    done = machinery.as_person("run", "guest", "--image=guest:1", *IN)
    assert done.returncode == 0, done.stderr
    eventually(machinery.counted, "the guest is counted")
    assert machinery.as_person("delete", "pod", "guest", *IN).returncode == 0
    eventually(lambda: machinery.gone("pod", "guest", *IN) and machinery.counted(), "the guest is counted no more")


def test_a_drain_evicts_a_pod_that_git_declares_and_nobody_else_deletes_it(machinery: Machinery) -> None:
    assert DENIED in machinery.as_person("delete", "pod", "lonely", *IN).stderr
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "lonely", "namespace": "shop"}}
    path = "/api/v1/namespaces/shop/pods/lonely/eviction"
    done = machinery.as_person("create", "--raw", path, "-f", "-", input=dump([eviction]))
    assert done.returncode == 0, done.stderr
    eventually(lambda: machinery.gone("pod", "lonely", *IN), "the Pod is gone")


def test_a_schedule_makes_jobs_that_come_and_go(machinery: Machinery) -> None:
    made = ("cronjob", "report", *IN)
    eventually(lambda: machinery.value(".status.lastSuccessfulTime", *made), "a Job of the schedule is done")
    eventually(lambda: machinery.value(".items[*].metadata.name", "jobs", *IN) == "once", "its Jobs are removed")


# All of the above, as the control plane recorded it. Last in the file on purpose.


def test_nothing_of_the_cluster_itself_was_refused(machinery: Machinery) -> None:
    assert machinery.refused() == []
    assert machinery.kubelet.faults == []


def test_no_controller_complains_of_the_guard(machinery: Machinery) -> None:
    assert audit.controllers_name_us(machinery.stage.plane) == []


def test_controllers_did_write_what_is_guarded(machinery: Machinery) -> None:
    """Else the tests above would hold for a guard that nobody asks."""
    asked = {
        event["user"]["username"]
        for event in audit.writes(machinery.stage.plane)
        if any(key.endswith("guard.setscrew.dev/code") for key in event.get("annotations", {}))
    }
    accounts = {user.rpartition(":")[2] for user in asked if is_machinery(user)}
    autoscaler, collector = "horizontal-pod-autoscaler", "generic-garbage-collector"
    assert {autoscaler, collector, "clusterrole-aggregation-controller", "persistent-volume-binder"} <= accounts
