"""Owns the stage of GPU classes: their CRDs, what Git declares of each kind, who writes, and one write as data says it.

CRDs come from the corpora of other projects where they have them, with `conversion: None`; those of KAI, Volcano and
AMD are the project's own, cut down (tests/cases/gpu/crds). Must not judge.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from setscrew.cli.common import rendered
from setscrew.controlplane import CONTROL_PLANE, ensure
from setscrew.demo.stage import GITOPS, PERSON, Stage, dump
from tests.support import corpus

CASES: Final = Path(__file__).parents[1] / "cases" / "gpu"
SOURCES: Final[Mapping[str, Any]] = {"gpu": {"path": "gpu", "render": {"kind": "YAML"}}}
NODE: Final = "system:node:"
_VERBS: Final = ("POST", "PATCH", "DELETE")
_MERGE: Final = "application/merge-patch+json"
_GROUPS: Final = (
    *("nvidia.com", "resource.nvidia.com", "scheduling.run.ai", "kai.scheduler", "kueue.x-k8s.io"),
    *("scheduling.volcano.sh", "amd.com"),
)
_RIGHTS: Final = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "dry-run-gpu", "labels": {"setscrew.dev/aggregate-to-canonicalizer": "true"}},
        "rules": [{"apiGroups": list(_GROUPS), "resources": ["*"], "verbs": ["create", "update"]}],
    },
    {
        # Rights are not what stops anybody here.
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"},
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:kube-scheduler"},
        ],
    },
)
# There before Git declares any class.
_BEFORE: Final = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "before"}, "spec": {}}


@dataclass(slots=True)
class Kinds:
    """The guarded classes, and all who write to them."""

    stage: Stage
    _clients: dict[str, ApiClient] = field(default_factory=dict)

    def write(self, step: Mapping[str, Any]) -> str:
        """Do one write; "" if the API server took it, else what it said."""
        verb = next(one for one in _VERBS if one in step)
        path, body = step[verb], step.get("body")
        if verb == "POST":
            body = {**self._type(path), **step["body"]}
        query = {"fieldManager": step["manager"]} if "manager" in step else None
        content = _MERGE if verb == "PATCH" else "application/json"
        try:
            self._client(step["as"]).send(verb, path, body, query, content_type=content)
        except ApiError as error:
            return str(error)
        return ""

    def _type(self, path: str) -> dict[str, str]:
        parts = path.strip("/").split("/")
        version = "/".join(parts[1 : 3 if parts[0] == "apis" else 2])
        listed = self.stage.plane.request("GET", f"/{parts[0]}/{version}").body["resources"]
        return {"apiVersion": version, "kind": next(one["kind"] for one in listed if one["name"] == parts[-1])}

    def _client(self, who: str) -> ApiClient:
        if who not in self._clients:
            self._clients[who] = ApiClient.load(str(self._kubeconfig(who)))
        return self._clients[who]

    def _kubeconfig(self, who: str) -> Path:
        plane = self.stage.plane
        if who == PERSON:
            return self.stage.person
        if who == "/".join(GITOPS):
            return self.stage.gitops
        if "/" in who:
            return plane.service_account_kubeconfig(*who.split("/"))
        return plane.kubeconfig(who, ["system:nodes"] if who.startswith(NODE) else [])


@cache
def definitions() -> list[dict[str, Any]]:
    """The CRDs of NVIDIA and Kueue as their projects publish them, and the project's own of the others."""
    found = [tree for file in sorted((CASES / "crds").glob("*.yaml")) for tree in yaml.safe_load_all(file.read_text())]
    for file in sorted((corpus.CORPUS / "gpu-operator" / "crds").glob("*.yaml")):
        found += yaml.safe_load_all(file.read_text())
    entries = [one.values[0] for one in corpus.entries()]
    kueue = next(one for one in entries if one is not None and one.name == "kueue")
    trees = [one.tree for one in kueue.rendered(ensure([*CONTROL_PLANE, "helm"]))]
    found += [tree for tree in trees if tree["kind"] == "CustomResourceDefinition"]
    for tree in found:
        # Nobody serves their webhooks here.
        tree["spec"]["conversion"] = {"strategy": "None"}
    return found


@contextmanager
def guarded() -> Iterator[Kinds]:
    """A running guard over classes of every kind, confirmed by the API server."""
    options = {
        "feature_gates": ["DRADeviceTaintRules=true"],
        "runtime_config": ["resource.k8s.io/v1beta2=true"],
    }
    with Stage(SOURCES, _fill, scan_seconds=1, plane_options=options) as stage:
        plane = stage.plane
        plane.kubectl("apply", "--server-side", "-f", "-", input=dump(definitions()))
        plane.kubectl("apply", "-f", "-", input=dump([*_RIGHTS, _BEFORE]))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        trees = [one.tree for one in rendered(CASES / "desired", "default").objects]
        trees.sort(key=lambda tree: tree["kind"] != "Namespace")
        plane.kubectl("apply", "--server-side", "--field-manager=argocd-controller", "-f", "-", input=dump(trees))
        stage.start_setscrew()
        stage.wait("server forms", lambda: not stage.unconfirmed())
        stage.wait("the guard", stage.guarded)
        yield Kinds(stage)


def _fill(work: Path) -> None:
    shutil.copytree(CASES / "desired", work / "gpu")


def drift(stage: Stage) -> list[Any]:
    """What the report says differs."""
    return list((stage.drift() or {"items": ["no answer"]})["items"])
