"""Play the stories of docs/gpu.md on a real control plane and write the real answers into the page.

    python tools/gpu_stories.py

As tools/explain_decisions.py, on a cluster of its own: the classes of examples/gpu-fleet under guard, two Nodes, and the
Pods of two teams. No node runs anything here, so the Pods are bound and said to run by the administrator. The report and
what people ask of it follow the cluster within seconds: such commands are asked again until they say what is expected.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from explain_decisions import EXAMPLE, ROOT, Example, Player, examples  # noqa: E402

from setscrew.demo.stage import Stage, dump  # noqa: E402

PAGE = ROOT / "docs" / "gpu.md"
_SOURCES = {"fleet": {"path": "fleet", "render": {"kind": "YAML"}}}
_PATIENCE_SECONDS = 60
_PRODUCT = "nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3"
_MORE_PLAIN = (
    (re.compile(r"\bsha1:[0-9a-f]{40}\b"), f"sha1:{'6e90c99060' * 4}"),
    (re.compile(r"(?<= )\d[smh] ago |(?<= )\d\d[smh] ago"), "3s ago "),
)
_SETTLE_SECONDS = 10
_CLUSTER_POLICIES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "clusterpolicies.nvidia.com"},
    "spec": {
        "group": "nvidia.com",
        "scope": "Cluster",
        "names": {"kind": "ClusterPolicy", "plural": "clusterpolicies", "singular": "clusterpolicy"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
# As every kind beyond the built-in ones, it needs a right to be tried in dry-runs.
_RIGHTS = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{account}-nvidia", "labels": {f"setscrew.dev/aggregate-to-{account}": "true"}},
        "rules": [{"apiGroups": ["nvidia.com"], "resources": ["*"], "verbs": verbs}],
    }
    for account, verbs in (("canonicalizer", ["create", "update"]), ("canary", ["patch"]))
]
# Somebody tried this out before anybody guarded the classes.
_STRAY = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "any-gpu"},
    "spec": {"extendedResourceName": "example.com/h100"},
}
# Namespace, name, node ("" waits for one), and what the Pod asks for.
_PODS = (
    ("vision", "detect-0", "gpu-1", "nvidia.com/mig-1g.10gb"),
    ("vision", "detect-1", "gpu-1", "nvidia.com/mig-1g.10gb"),
    ("vision", "notebook-0", "gpu-2", "nvidia.com/gpu"),
    ("training", "tune-0", "gpu-2", "nvidia.com/gpu"),
    ("training", "train-0", "", "example.com/h100"),
)


def fill(work: Path) -> None:
    """The example of a fleet, and beside it the definition that `setscrew check` is given."""
    shutil.copytree(ROOT / "examples" / "gpu-fleet", work / "fleet")
    (work / "crds").mkdir()
    (work / "crds" / "nvidia.yaml").write_text(dump([_CLUSTER_POLICIES]))


@contextmanager
def playing() -> Iterator[Player]:
    """A guarded fleet, on which each `play` is one command of the page."""
    with tempfile.TemporaryDirectory(prefix="setscrew-stories-") as directory:
        audit = Path(directory) / "audit.json"
        audit.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}))
        with Stage(_SOURCES, fill, audit_policy=audit, scan_seconds=1) as stage:
            _guarded(stage)
            yield _Patient(stage)


def _guarded(stage: Stage) -> None:
    kubectl, fleet = stage.plane.kubectl, stage.repository.work / "fleet"
    kubectl("apply", "-f", "-", input=dump([_CLUSTER_POLICIES, *_RIGHTS]))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kubectl("apply", "-f", fleet / "tenants.yaml")
    kubectl("apply", "--server-side", "--field-manager=argocd-controller", "-f", fleet)
    kubectl("apply", "-f", "-", input=dump([_STRAY, *map(_pod, _PODS)]))
    for space, name, node, resource in _PODS:
        if node:
            _tell(stage, f"pod/{name}", {"phase": "Running"}, "-n", space)
            kubectl("label", "node", node, "nvidia.com/gpu.present=true", _PRODUCT, "--overwrite")
            _tell(stage, f"node/{node}", {"capacity": {resource: "8"}, "allocatable": {resource: "8"}})
    stage.start_setscrew()
    stage.wait("the server forms", lambda: not stage.unconfirmed())
    stage.wait("the guard", stage.guarded)
    time.sleep(_SETTLE_SECONDS)


def _tell(stage: Stage, target: str, status: dict[str, object], *options: str) -> None:
    """What a kubelet would say of it."""
    patch = json.dumps({"status": status})
    stage.plane.kubectl("patch", target, *options, "--subresource=status", "--type=merge", "-p", patch)


def _pod(one: tuple[str, str, str, str]) -> dict[str, object]:
    space, name, node, resource = one
    resources = {"limits": {resource: "1"}}
    spec = {"containers": [{"name": "main", "image": "registry.example.com/job:1", "resources": resources}]}
    bound = {"nodeName": node} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": space}, "spec": spec | bound}


class _Patient(Player):
    """Asks Setscrew again until it says what the page says; of what is written it asks once."""

    def play(self, one: Example) -> Example:
        asked = re.match(r"setscrew (drift|explain|source|gpu)\b", one.typed)
        deadline = time.monotonic() + (_PATIENCE_SECONDS if one.output else _SETTLE_SECONDS)
        found = self._plain(super().play(one))
        while asked and found.output != one.output and time.monotonic() < deadline:
            time.sleep(1)
            found = self._plain(super().play(one))
        return found

    def _plain(self, one: Example) -> Example:
        output = one.output
        for pattern, word in _MORE_PLAIN:
            output = pattern.sub(word, output)
        return replace(one, output=output)


def main() -> None:
    """Write the page anew."""
    with playing() as player:
        played = iter([player.play(one) for one in examples(PAGE.read_text())])
    PAGE.write_text(EXAMPLE.sub(lambda _: str(next(played)), PAGE.read_text()))


if __name__ == "__main__":
    main()
