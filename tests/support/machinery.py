"""Owns a stage on which the cluster's own machinery works, beside a GitOps writer and a person.

Must not judge: it pushes, writes, waits and looks.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

from reconciler.model.own import CANARY
from setscrew.demo.stage import Stage, dump
from tests.support import audit
from tests.support.kubelet import Kubelet, kubelet
from tests.support.small_shop import documents
from tests.support.waiting import eventually

CASES: Final = Path(__file__).parents[1] / "cases" / "machinery"
IN: Final = ("-n", "shop")
SOURCES: Final[Mapping[str, Any]] = {"shop": {"path": "shop", "render": {"kind": "YAML"}}}
# Autoscalers look each second, not each quarter of a minute.
_QUICK: Final = ("--horizontal-pod-autoscaler-sync-period=1s",)
_WRITER: Final = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller", "--validate=false")
_FIRST: Final = ("Namespace", "CustomResourceDefinition", "ServiceAccount")
# The canonicalizer dry-runs custom resources only where an administrator lets it.
_WIDGETS: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "widgets", "labels": {"setscrew.dev/aggregate-to-canonicalizer": "true"}},
    "rules": [{"apiGroups": ["shop.example.com"], "resources": ["widgets"], "verbs": ["create", "update"]}],
}
Done = CompletedProcess[str]


@dataclass(slots=True)
class Machinery:
    """One running stage. Files are those of `CASES`, in the repository under `shop/`."""

    stage: Stage
    kubelet: Kubelet

    def push(self, files: Mapping[str, str | None], subject: str) -> None:
        """Write (None: drop) files, push them, and wait until they are enforced."""
        self.write(files)
        commit = self.stage.repository.commit(subject)
        self.stage.repository.push()
        self.stage.wait(f"the revision {subject!r}", lambda: self.stage.enforced(commit))

    def write(self, files: Mapping[str, str | None]) -> None:
        """Change the working copy."""
        for name, text in files.items():
            path = self.stage.repository.work / "shop" / name
            path.unlink() if text is None else path.write_text(text)

    def text(self, name: str) -> str:
        """A file as it stands in the working copy."""
        return (self.stage.repository.work / "shop" / name).read_text()

    def apply(self, name: str) -> Done:
        """The GitOps writer applies one file, what others need first."""
        trees = sorted(documents(self.text(name)), key=lambda tree: tree["kind"] not in _FIRST)
        return self.as_writer("apply", *_WRITER, "-f", "-", input=dump(trees))

    def sync(self, name: str) -> None:
        """Apply one file, once more where the API server did not yet serve a new kind."""
        if self.apply(name).returncode:
            time.sleep(2)
            done = self.apply(name)
            assert done.returncode == 0, done.stderr

    def change(self, name: str, replaced: Mapping[str, str]) -> None:
        """Change texts of a file in Git and let the writer follow; each must stand there once."""
        text = self.text(name)
        for old, new in replaced.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.declare(name, text)

    def declare(self, name: str, text: str = "") -> None:
        """Add or change a file in Git ("": as in `CASES`) and let the writer follow."""
        self.push({name: text or (CASES / name).read_text()}, f"Now {name}")
        self.sync(name)

    def as_writer(self, *args: str, **options: Any) -> Done:
        """Run kubectl as the GitOps writer."""
        return self.stage.plane.kubectl(*args, kubeconfig=self.stage.gitops, check=False, **options)

    def as_person(self, *args: str, **options: Any) -> Done:
        """Run kubectl as a cluster-admin who is no writer."""
        return self.stage.plane.kubectl(*args, kubeconfig=self.stage.person, check=False, **options)

    def get(self, *what: str) -> dict[str, Any] | None:
        """One object or list as the API server holds it, None where there is none."""
        done = self.stage.plane.kubectl("get", *what, "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def value(self, path: str, *what: str) -> str:
        """One value by JSONPath, as text; "" where there is none."""
        return self.stage.plane.kubectl("get", *what, "-o", f"jsonpath={{{path}}}", check=False).stdout

    def gone(self, *what: str) -> bool:
        """Whether the API server holds it no more."""
        return self.get(*what) is None

    def replicas(self, deployment: str) -> str:
        """As many as the Deployment of the shop is to have."""
        return self.value(".spec.replicas", "deployment", deployment, *IN)

    def images(self, app: str, *place: str) -> list[str]:
        """The image of each Pod of an app, of the shop unless a namespace is named."""
        pods = self.get("pods", *(place or IN), "-l", f"app={app}") or {"items": []}
        return [pod["spec"]["containers"][0]["image"] for pod in pods["items"]]

    def counted(self) -> bool:
        """Whether the quota of the shop counts its Pods of now that have not ended, the schedule's included."""
        pods = self.get("pods", *IN)
        assert pods is not None
        living = [pod for pod in pods["items"] if pod["status"]["phase"] not in ("Succeeded", "Failed")]
        return self.value(".status.used.pods", "quota", "limits", *IN) == str(len(living))

    def rolled_out(self, kind: str, name: str, image: str) -> bool:
        """Whether the controller has seen the newest template, its Pods are Ready, and all run the image."""
        one = self.get(kind, name, *IN)
        assert one is not None
        status, found = one["status"], self.images(name)
        ready = status.get("readyReplicas", status.get("numberReady", 0))
        return status.get("observedGeneration") == one["metadata"]["generation"] and found == [image] * ready != []

    def owned(self, owner: str) -> str:
        """The text of a ConfigMap `owned-by-OWNER` whose owner, another ConfigMap, a person makes now."""
        assert self.as_person("create", "configmap", owner, *IN).returncode == 0
        uid = self.value(".metadata.uid", "configmap", owner, *IN)
        reference = f"{{apiVersion: v1, kind: ConfigMap, name: {owner}, uid: {uid}, blockOwnerDeletion: true}}"
        metadata = f"{{name: owned-by-{owner}, namespace: shop, ownerReferences: [{reference}]}}"
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata: {{mode: owned}}\n"

    def confirmed(self) -> None:
        """Wait until the API server has confirmed every form and asks us."""
        stage = self.stage
        eventually(lambda: not stage.unconfirmed(), f"forms from the API server: {stage.unconfirmed()}")
        eventually(stage.guarded, "the API server asks us")

    def refused(self) -> list[str]:
        """What the webhook has denied to the machinery so far."""
        denied = filter(audit.refused_by_us, audit.writes(self.stage.plane))
        return [audit.in_short(one) for one in denied if is_machinery(one["user"]["username"])]


def is_machinery(user: str) -> bool:
    """True for every identity of the control plane and its nodes; our canary asks to be refused."""
    return user.startswith("system:") and user != CANARY and not user.startswith("system:serviceaccount:argocd:")


@contextmanager
def running(directory: Path, files: tuple[str, ...], **options: Any) -> Iterator[Machinery]:
    """A stage with `files` of `CASES` synced and guarded. `options` are further arguments of `ControlPlane.start`."""

    def fill(work: Path) -> None:
        (work / "shop").mkdir()
        for name in files:
            shutil.copy(CASES / name, work / "shop")

    plane_options = {"controller_manager_args": _QUICK, **options}
    policy = audit.policy_file(directory)
    stage = Stage(SOURCES, fill, 1, audit_policy=policy, plane_options=plane_options)
    with stage, kubelet(stage.plane) as one:
        machinery = Machinery(stage, one)
        stage.plane.kubectl("apply", "-f", "-", input=dump([_WIDGETS]))
        stage.start_setscrew()
        for name in files:
            machinery.sync(name)
        machinery.confirmed()
        yield machinery
