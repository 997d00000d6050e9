"""Owns an installation of two replicas on a real control plane, as manifests/overlays/prevent has it. Must not judge.

What stands for nodes is `tests.support.pods` and `tests.support.service_proxy`; the Deployment's controllers, RBAC,
tokens, admission and the Service that the API server calls are real.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import yaml

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError
from reconciler.model.own import (
    ADMISSION_SERVICE,
    ADMISSION_SERVICE_PORT,
    INSTALLERS,
    LEASE,
    NAMESPACE,
    OWN_GUARD,
    ROLE_LABEL,
)
from setscrew.controlplane import ControlPlane, Tools
from setscrew.demo import repository
from setscrew.demo.repository import Repository
from setscrew.demo.stage import GITOPS, PERSON, document, dump
from tests.support.audit import policy_file, unasked, writes
from tests.support.git_http import GitHttp
from tests.support.pods import REAL, SHOWN, PodRunner, RunningPod, pod_runner
from tests.support.service_proxy import ServiceProxy, proxying
from tests.support.waiting import eventually

# All of 127/8 is loopback, and an API server calls a Service by its address.
_RANGE: Final = "127.64.0.0/16"
_ADDRESS: Final = "127.64.0.10"
_OVERLAY: Final = Path(__file__).resolve().parents[2] / "manifests" / "overlays" / "prevent"
_LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_INSTALLER: Final = "ivy"
_GIT_SECRET: Final = "git-host"
_ENOUGH: Final = 50
# Naming nobody: members of the group of installers always count.
_LOCK: Final = (
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": OWN_GUARD, "namespace": NAMESPACE},
        "data": {"users": "", "groups": ""},
    },
)
_APPLY: Final = ("--server-side", "--force-conflicts", "--validate=false")


@dataclass
class Installation:
    """`person` and `gitops` are kubeconfigs of who writes, `installer` of who installs; `admin` reads for the test."""

    plane: ControlPlane
    repository: Repository
    git: GitHttp
    runner: PodRunner
    proxy: ServiceProxy
    installer: Path
    person: Path
    gitops: Path
    admin: ApiClient

    def apply(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """As the installer does."""
        self.plane.kubectl("apply", *_APPLY, "-f", "-", kubeconfig=self.installer, input=dump(documents))

    @property
    def holder(self) -> str:
        """Who holds the Lease; "" where nobody does."""
        try:
            return str(self.admin.request("GET", f"{_LEASE}/{LEASE}")["spec"].get("holderIdentity") or "")
        except ApiError:
            return ""

    @property
    def pods(self) -> list[RunningPod]:
        """Pods that run."""
        return self.runner.running

    @property
    def leader(self) -> RunningPod:
        """The Pod that leads. Fails where none does."""
        return next(one for one in self.pods if one.name == self.holder)

    @property
    def follower(self) -> RunningPod:
        """A Pod that does not lead."""
        return next(one for one in self.pods if one.name != self.holder)

    def labels(self) -> dict[str, str]:
        """The role of each Pod, as a Service sees it."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        found = [one["metadata"] for one in self.admin.request("GET", path)["items"]]
        return {one["name"]: (one.get("labels") or {}).get(ROLE_LABEL, "") for one in found}

    def wait_ready(self, count: int = 2, seconds: float = 180) -> None:
        """Until so many Pods run, all of them ready, one of them leads, and the Service has them all."""

        def ready() -> bool:
            assert not self.runner.faults, self.runner.faults
            pods = self.pods
            there = len(pods) == count and all(one.ready for one in pods) and self.holder in [one.name for one in pods]
            return there and {one.address for one in pods} == {host for host, _ in self.proxy.ready}

        try:
            eventually(ready, "the replicas are ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tails()}") from None

    def tails(self) -> str:
        """The last lines of every log."""
        return "\n".join(
            f"--- {one.name}\n" + "\n".join(one.logs.splitlines()[-25:]) for one in self.runner.pods.values()
        )

    def failed_open(self) -> list[str]:
        """Writes that the API server let pass because no replica answered."""
        return [str(event["requestURI"]) for event in writes(self.plane) if unasked(event)]


@dataclass
class Traffic:
    """Guarded writes of a person that go on, in two threads: free ones that must pass, and drift that must not."""

    site: Installation
    passed: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._conform, self._drift)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def flows(self) -> bool:
        """Whether enough writes of either sort were answered to tell anything."""
        return min(self.passed, self.refused) > _ENOUGH

    def _conform(self) -> None:
        client, number = ApiClient.load(str(self.site.person)), 0
        while not self._stop.wait(0.02):
            number += 1
            status, said = patch(client, "settings", {"metadata": {"labels": {"touched": str(number)}}})
            if status == 200:
                self.passed += 1
            else:
                (self.wrong if status == 403 else self.failed).append(f"a free label: {status} {said}")

    def _drift(self) -> None:
        client, number = ApiClient.load(str(self.site.person)), 0
        while not self._stop.wait(0.02):
            number += 1
            status, said = patch(client, "settings", {"data": {"mode": f"evil-{number}"}})
            if status == 403 and "denied the request" in said and "/data/mode" in said:
                self.refused += 1
            else:
                (self.wrong if status in (200, 403) else self.failed).append(f"drift: {status} {said}")


def patch(client: ApiClient, name: str, change: Mapping[str, Any], *, dry_run: bool = False) -> tuple[int, str]:
    """One merge patch of a ConfigMap of the shop: status and words of a refusal; status 0: no answer."""
    path, query = f"/api/v1/namespaces/shop/configmaps/{name}", {"dryRun": "All"} if dry_run else {}
    try:
        return client.send("PATCH", path, dict(change), query, content_type="application/merge-patch+json").status, ""
    except ApiError as error:
        return error.status, error.message
    except ClusterError as error:
        return 0, error.message


@contextmanager
def installed(
    tools: Tools,
    fill: Mapping[str, str],
    sources: Mapping[str, Mapping[str, Any]],
    policies: Mapping[str, Mapping[str, Any]],
    more: Sequence[Mapping[str, Any]] = (),
    *,
    locked: bool = False,
) -> Iterator[Installation]:
    """Everything installed and started, nothing waited for. `fill` are files of Git, `more` objects of the cluster.

    `locked`: only the installer may change what Setscrew consists of, before its Pods begin.
    """
    with ExitStack() as stack:
        args = (f"--service-cluster-ip-range={_RANGE}",)
        plane = stack.enter_context(ControlPlane.start(tools, api_server_args=args, audit_policy=_audit_policy(stack)))
        git = repository.create(plane.directory / "git")
        server = stack.enter_context(GitHttp(git.remote.parent))
        commit(git, fill, "Desired state")
        options = ["--allow-local-sources", "--enforce", "--scan-interval", "2"]
        extra = {"reconcile": [*options, "--helm", str(tools.helm), "--kubectl", str(tools.kubectl)]}
        runner = stack.enter_context(pod_runner(plane, plane.directory / "pods", extra))
        admin = ApiClient.load(str(plane.admin_kubeconfig))
        proxy = ServiceProxy(admin, ADMISSION_SERVICE, lambda address: address.replace(SHOWN, REAL))
        stack.enter_context(proxying(proxy, _ADDRESS, ADMISSION_SERVICE_PORT))
        installer = plane.kubeconfig(_INSTALLER, [INSTALLERS])
        gitops, person = plane.service_account_kubeconfig(*GITOPS), plane.kubeconfig(PERSON)
        site = Installation(plane, git, server, runner, proxy, installer, person, gitops, admin)
        bound = {"installer": f"--user={_INSTALLER}", "gitops": f"--serviceaccount={':'.join(GITOPS)}"}
        for name, subject in (bound | {"person": f"--user={PERSON}"}).items():
            plane.kubectl("create", "clusterrolebinding", f"test-{name}", "--clusterrole=cluster-admin", subject)
        _install(site, sources, policies, [*more, *(_LOCK if locked else ())])
        yield site


def _install(
    site: Installation,
    sources: Mapping[str, Mapping[str, Any]],
    policies: Mapping[str, Mapping[str, Any]],
    more: Sequence[Mapping[str, Any]],
) -> None:
    """What the base has, the Deployment last, with our objects before the guard is there to judge who writes them."""
    own = _rendered(site.plane)
    names = [f"crd/{one['metadata']['name']}" for one in own if one["kind"] == "CustomResourceDefinition"]
    site.apply([one for one in own if one["kind"] != "Deployment"])
    site.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    secret = document("Secret", _GIT_SECRET, {}) | {"apiVersion": "v1", "stringData": {"ca.crt": site.git.ca.decode()}}
    del secret["spec"]
    secret["metadata"] |= {"namespace": NAMESPACE}
    reached = {"url": site.git.url(), "secretRef": {"name": _GIT_SECRET}, "allowPrivateHosts": True}
    objects = [document("GitSource", name, {**reached, **spec}) for name, spec in sources.items()]
    objects += [document("DriftPolicy", name, spec) for name, spec in policies.items()]
    site.apply([*more, secret, *objects])
    site.apply([one for one in own if one["kind"] == "Deployment"])


def commit(git: Repository, files: Mapping[str, str], subject: str) -> str:
    """Write, commit and push; nobody is told."""
    for name, text in files.items():
        path = git.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = git.commit(subject)
    git.push()
    return made


def _rendered(plane: ControlPlane) -> list[dict[str, Any]]:
    """What is installed, Namespaces first, with the address at which the Service is stood in for."""
    found = [one for one in yaml.safe_load_all(plane.kubectl("kustomize", _OVERLAY).stdout) if one]
    for one in found:
        if (one["kind"], one["metadata"]["name"]) == ("Service", ADMISSION_SERVICE):
            one["spec"]["clusterIP"] = _ADDRESS
    return sorted(found, key=lambda one: one["kind"] != "Namespace")


def _audit_policy(stack: ExitStack) -> Path:
    return policy_file(Path(stack.enter_context(tempfile.TemporaryDirectory())))
