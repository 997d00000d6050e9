"""`setscrew review` and the running admission server answer the same AdmissionReview alike. Real objects, real TLS."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from setscrew.cli import main
from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

Tree = dict[str, Any]
Edit = Callable[[Tree], Any]
GITOPS = "system:serviceaccount:argocd:argocd-application-controller"
HPA = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
KINDS = {
    "deployments": ("apps", "v1", "Deployment"),
    "configmaps": ("", "v1", "ConfigMap"),
    "secrets": ("", "v1", "Secret"),
    "services": ("", "v1", "Service"),
    "namespaces": ("", "v1", "Namespace"),
    "deviceclasses": ("resource.k8s.io", "v1", "DeviceClass"),
    "horizontalpodautoscalers": ("autoscaling", "v2", "HorizontalPodAutoscaler"),
}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=5) as one:
        yield small_shop.synced_stage(one)


def put(*path: str | int, value: Any) -> Edit:
    def edit(tree: Tree) -> None:
        node: Any = tree
        for key in path[:-1]:
            node = node[key] if isinstance(key, int) else node.setdefault(key, {})
        node[path[-1]] = value

    return edit


def drop(*path: str | int) -> Edit:
    def edit(tree: Tree) -> None:
        node: Any = tree
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return edit


def nothing(tree: Tree) -> None:
    """The object as it is."""


CONTAINER = ("spec", "template", "spec", "containers", 0)
POD = ("spec", "template", "spec")
SIDECAR = [{"name": "extra", "image": "evil:1"}]
# name: (resource, object, edit of the live object, more about the request)
UPDATES: dict[str, tuple[str, str, Edit, Tree]] = {
    "image": ("deployments", "web", put(*CONTAINER, "image", value="evil:1"), {}),
    "replicas": ("deployments", "web", put("spec", "replicas", value=9), {}),
    "replicas of an autoscaled object by a person": ("deployments", "worker", put("spec", "replicas", value=3), {}),
    "replicas of an autoscaled object by the autoscaler": (
        "deployments", "worker", put("spec", "replicas", value=3), {"user": HPA, "uid": "7"}),
    "environment variable": ("deployments", "web", put(*CONTAINER, "env", 0, "value", value="debug"), {}),
    "declared label": ("deployments", "web", put("metadata", "labels", "app", value="other"), {}),
    "declared label removed": ("deployments", "web", drop("metadata", "labels", "app"), {}),
    "undeclared label": ("deployments", "web", put("metadata", "labels", "mine", value="yes"), {}),
    "undeclared annotation": ("deployments", "web", put("metadata", "annotations", "note", value="x"), {}),
    "restart": ("deployments", "web", put("spec", "template", "metadata", "annotations", value={
        "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}), {}),
    "default overridden": ("deployments", "web", put("spec", "progressDeadlineSeconds", value=5), {}),
    "default of a Pod overridden": ("deployments", "web", put(*POD, "restartPolicy", value="Never"), {}),
    "undeclared field of a Pod": ("deployments", "web", put(*POD, "hostNetwork", value=True), {}),
    "no change": ("deployments", "web", nothing, {}),
    "only managedFields": ("deployments", "web", put("metadata", "managedFields", value=[]), {}),
    "dry-run of an image": ("deployments", "web", put(*CONTAINER, "image", value="evil:1"), {"dryRun": True}),
    "image by the GitOps controller": (
        "deployments", "web", put(*CONTAINER, "image", value="evil:1"), {"user": GITOPS, "uid": "7"}),
    "image by a masters member": (
        "deployments", "web", put(*CONTAINER, "image", value="evil:1"), {"groups": ["system:masters"]}),
    "last-applied that says less": ("deployments", "web", put("metadata", "annotations", LAST_APPLIED, value="{}"), {}),
    "last-applied that says more": ("deployments", "web", put("metadata", "annotations", LAST_APPLIED, value=json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"paused": True}})), {}),
    "last-applied that is no JSON": ("deployments", "web", put("metadata", "annotations", LAST_APPLIED, value="{"), {}),
    "opt-out of Argo CD": ("deployments", "web", put(
        "metadata", "annotations", "argocd.argoproj.io/compare-options", value="IgnoreExtraneous"), {}),
    "forged owner": ("deployments", "web", put("metadata", "ownerReferences", value=[
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]), {}),
    "forged owner through status": ("deployments", "web", put("metadata", "ownerReferences", value=[
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]), {"subResource": "status"}),
    "status": ("deployments", "web", put("status", "replicas", value=1), {"subResource": "status"}),
    "a subresource of tomorrow": ("deployments", "web", nothing, {"subResource": "rewind"}),
    "finalizer added": ("deployments", "web", put("metadata", "finalizers", value=["example.com/hold"]), {}),
    "data": ("configmaps", "settings", put("data", "mode", value="debug"), {}),
    "data added": ("configmaps", "settings", put("data", "extra", value="1"), {}),
    "data of the chart": ("configmaps", "cache", put("data", "size", value="1"), {}),
    "password": ("secrets", "db", put("data", "password", value="b3RoZXI="), {}),
    "password removed": ("secrets", "db", drop("data", "password"), {}),
    "same password": ("secrets", "db", nothing, {}),
    "port": ("services", "web", put("spec", "ports", 0, "port", value=81), {}),
    "type of service": ("services", "web", put("spec", "type", value="NodePort"), {}),
    "label of the namespace": ("namespaces", "shop", put("metadata", "labels", "team", value="x"), {}),
    "enforcement of Pod security": ("namespaces", "shop", put(
        "metadata", "labels", "pod-security.kubernetes.io/enforce", value="privileged"), {}),
    "selector of the GPU class": ("deviceclasses", "a100", put(
        "spec", "selectors", 0, "cel", "expression", value="true"), {}),
    "more replicas at most": ("horizontalpodautoscalers", "worker", put("spec", "maxReplicas", value=99), {}),
}  # fmt: skip
DELETES = [("deployments", "web"), ("configmaps", "settings"), ("secrets", "db"), ("namespaces", "shop"),
           ("deviceclasses", "a100"), ("configmaps", "kube-root-ca.crt")]  # fmt: skip
CREATES = [("deployments", "web"), ("configmaps", "settings"), ("secrets", "db"), ("services", "web"),
           ("horizontalpodautoscalers", "worker"), ("deviceclasses", "a100")]  # fmt: skip


def reviews(stage: Stage) -> Iterator[tuple[str, Tree]]:
    for name, (resource, target, edit, more) in UPDATES.items():
        old = live(stage, resource, target)
        new = copy.deepcopy(old)
        edit(new)
        yield name, review(resource, target, "UPDATE", new, old, more)
    for resource, target in DELETES:
        yield f"delete {target}", review(resource, target, "DELETE", None, live(stage, resource, target), {})
        yield (
            f"delete {target} as a collection",
            review(resource, target, "DELETE", None, live(stage, resource, target), {"name": ""}),
        )
    yield (
        "delete by the GitOps controller",
        review("deployments", "web", "DELETE", None, live(stage, "deployments", "web"), {"user": GITOPS, "uid": "7"}),
    )
    for resource, target in CREATES:
        new = live(stage, resource, target)
        new.pop("status", None)
        for key in ("uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"):
            new["metadata"].pop(key, None)
        yield f"create {target} again", review(resource, target, "CREATE", new, None, {})
        worse = copy.deepcopy(new)
        worse["metadata"].setdefault("annotations", {})["argocd.argoproj.io/compare-options"] = "IgnoreExtraneous"
        yield f"create {target} with an opt-out", review(resource, target, "CREATE", worse, None, {})
    stray = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "stray"}, "spec": {}}
    yield "create a stray GPU class", review("deviceclasses", "stray", "CREATE", stray, None, {})
    yield "change a stray GPU class", review("deviceclasses", "stray", "UPDATE", {**stray, "spec": {"x": 1}}, stray, {})
    yield "delete a stray GPU class", review("deviceclasses", "stray", "DELETE", None, stray, {})
    yield "scale", scale("web", 7)
    yield "scale to what Git says", scale("web", 2)
    yield "scale by the autoscaler", scale("worker", 4, {"user": HPA, "uid": "7"})
    yield "an unguarded object", review("configmaps", "other", "CREATE", {"metadata": {"name": "other"}}, None, {})
    yield "an object that is null", review("deployments", "web", "UPDATE", None, live(stage, "deployments", "web"), {})
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    yield "an object too deep", review("deployments", "web", "UPDATE", deep, None, {})


def live(stage: Stage, resource: str, name: str) -> Tree:
    group, version, _ = KINDS[resource]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    place = "" if resource in ("namespaces", "deviceclasses") else "/namespaces/shop"
    body: Tree = stage.plane.request("GET", f"{root}{place}/{resource}/{name}").body
    assert body.get("metadata"), body
    return body


def review(resource: str, name: str, operation: str, new: Tree | None, old: Tree | None, more: Tree) -> Tree:
    group, version, kind = KINDS[resource]
    namespace = {"deviceclasses": "", "namespaces": name}.get(resource, "shop")
    user = {"username": more.get("user", "dana"), "groups": more.get("groups", ["system:authenticated"])}
    if "uid" in more:
        user |= {"uid": more["uid"], "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]}}
    gvk = {"group": group, "version": version}
    request: Tree = {
        "uid": "0d0f7a52-0000-4000-8000-000000000001",
        "kind": {**gvk, "kind": kind},
        "resource": {**gvk, "resource": resource},
        "operation": operation,
        "userInfo": user,
        "name": more.get("name", name),
        "namespace": namespace,
        "object": new,
        "oldObject": old,
        "dryRun": more.get("dryRun", False),
    }
    if "subResource" in more:
        request["subResource"] = more["subResource"]
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def scale(name: str, replicas: int, more: Tree | None = None) -> Tree:
    def body(count: int) -> Tree:
        return {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": count},
        }

    found = review("deployments", name, "UPDATE", body(replicas), body(2), {"subResource": "scale", **(more or {})})
    found["request"]["kind"] = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    return found


def served(stage: Stage, review: Tree, path: str = "/validate") -> Tree:
    """The server's answer, once a look at Git that it needs came in time: the command has all the time."""

    def answer() -> Tree | None:
        status, body = small_shop.post(stage, json.dumps(review).encode(), path)
        assert status == 200, body
        return None if "in time" in body["response"].get("status", {}).get("message", "") else body

    return eventually(answer, "an answer in time")


def by_hand(stage: Stage, review: Tree, *options: str) -> tuple[int, Tree]:
    """Exit status and printed JSON of `setscrew review`; anything else on stdout fails here."""
    result = CliRunner().invoke(main, ["review", *options], input=json.dumps(review))
    return result.exit_code, json.loads(result.stdout)


def test_a_snapshot_file_gives_the_servers_own_answer(stage: Stage) -> None:
    path = stage.state_dir / "snapshots" / f"{stage.snapshot().digest}.sqlite"
    seen: dict[bool, int] = {True: 0, False: 0}
    for name, one in reviews(stage):
        resource = one["request"]["resource"]
        group = resource["group"] or "core"
        answer = served(stage, one, f"/validate/{group}/{resource['version']}")
        code, printed = by_hand(stage, one, "--snapshot", str(path))
        assert printed == answer, name
        assert code == (0 if answer["response"]["allowed"] else 1), name
        seen[answer["response"]["allowed"]] += 1
    assert seen[True] >= 12
    assert seen[False] >= 20


def test_a_desired_directory_is_never_stricter_than_the_server(stage: Stage) -> None:
    stricter, laxer = [], []
    for name, one in reviews(stage):
        allowed = served(stage, one)["response"]["allowed"]
        code, printed = by_hand(stage, one, "--desired", str(stage.repository.work / "shop"), "--namespace", "shop")
        assert code in (0, 1), name
        if allowed and not printed["response"]["allowed"]:
            stricter.append(name)
        if not allowed and printed["response"]["allowed"]:
            laxer.append(name)
    assert stricter == []
    # What only the API server's form tells: its defaults, and the other source, which this directory does not hold.
    assert set(laxer) <= {"default overridden", "default of a Pod overridden", "type of service", "data of the chart"}


def test_no_answer_shows_a_value_of_a_secret(stage: Stage) -> None:
    old = live(stage, "secrets", "db")
    new = copy.deepcopy(old)
    new["data"]["password"] = small_shop.SECRETS[3]
    answer = served(stage, review("secrets", "db", "UPDATE", new, old, {}))
    assert answer["response"]["allowed"] is False
    text = json.dumps(answer)
    assert "password" in text
    assert not [secret for secret in small_shop.SECRETS if secret in text]
