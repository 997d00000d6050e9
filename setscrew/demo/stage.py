"""Owns the stage of demo and integration tests: control plane, identities, repository, and a running Setscrew.

Must not play anything. Nothing on it is a fake: what stands for a GitOps controller is its service account with a real
token, writing through the real kubectl.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from reconciler.cluster.paths import object_path
from reconciler.errors import ClusterError, UsageError
from reconciler.model.own import API_VERSION
from reconciler.model.sockets import RECONCILER_SOCKET
from setscrew.api_files import read_address, read_token
from setscrew.controlplane import CONTROL_PLANE, ControlPlane, Tools, ensure
from setscrew.controlplane.ports import free_ports
from setscrew.demo import repository
from setscrew.demo.repository import Repository
from setscrew.readiness import listens
from webhook.parent import ends_with_parent
from webhook.server.feed import Feed, SnapshotFile

RECEIVER: Final = "deploy"
GITOPS: Final = ("argocd", "argocd-application-controller")
PERSON: Final = "dana"
_MANIFESTS: Final = (
    "namespace.yaml",
    "service-accounts.yaml",
    "rbac.yaml",
    "canonicalizer-policy.yaml",
    "canary-policy.yaml",
)
_PATIENCE_SECONDS: Final = 180.0


@dataclass(slots=True)
class Stage:
    """Use as a context manager. `sources` are GitSource specs by name; their URL is the stage's own repository.

    `plane_options` are further arguments of `ControlPlane.start`, `run_options` of `setscrew run`. With an
    `audit_policy`, Setscrew reads the audit log. `heals` are RBAC rules of the healer, none: there is none.
    """

    sources: Mapping[str, Mapping[str, Any]]
    fill: Callable[[Path], None]
    scan_seconds: float = 2.0
    tools: Tools | None = None
    canary_seconds: float = 60.0
    audit_policy: Path | None = None
    enforce: bool = True
    plane_options: Mapping[str, Any] = field(default_factory=dict)
    run_options: Sequence[str] = ()
    heals: Sequence[Mapping[str, Any]] = ()
    plane: ControlPlane = field(init=False)
    repository: Repository = field(init=False)
    directory: Path = field(init=False)
    gitops: Path = field(init=False)
    person: Path = field(init=False)
    admission_port: int = field(init=False)
    api_port: int = field(init=False)
    metrics_port: int = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None
    _feed: Feed | None = None
    _log: Path = field(init=False)

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        self.tools = self.tools or ensure([*CONTROL_PLANE, "helm"])
        plane = ControlPlane.start(self.tools, audit_policy=self.audit_policy, **self.plane_options)
        self.plane = self._stack.enter_context(plane)
        # Inside the control plane's own directory, which goes with it even where this process is killed.
        self.directory = self.plane.directory / "stage"
        self.directory.mkdir()
        self._identities()
        self.repository = repository.create(self.directory / "git")
        self.fill(self.repository.work)
        self.repository.commit("Desired state")
        self.repository.push()
        self.admission_port, self.api_port, self.metrics_port = free_ports(3)
        self._log = self.directory / "setscrew.log"

    def _identities(self) -> None:
        base = _top() / "manifests" / "base"
        self.plane.kubectl("apply", "--validate=false", *(f"--filename={base / name}" for name in _MANIFESTS))
        self.gitops = self.plane.service_account_kubeconfig(*GITOPS)
        self.person = self.plane.kubeconfig(PERSON)
        for name, subject in (("gitops", f"--serviceaccount={':'.join(GITOPS)}"), ("person", f"--user={PERSON}")):
            self.plane.kubectl("create", "clusterrolebinding", f"demo-{name}", "--clusterrole=cluster-admin", subject)

        if self.heals:
            # Bound at once: the controller that aggregates roles does not run here.
            role: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
            role |= {"metadata": {"name": "demo-healer"}, "rules": list(self.heals)}
            self.plane.kubectl("apply", "--validate=false", "-f", "-", input=json.dumps(role))
            account = "--serviceaccount=setscrew-system:setscrew-healer"
            self.plane.kubectl("create", "clusterrolebinding", "demo-healer", "--clusterrole=demo-healer", account)

    @property
    def state_dir(self) -> Path:
        """State directory of the running Setscrew."""
        return self.directory / "state"

    @property
    def log(self) -> str:
        """All that Setscrew has said so far."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def hook_url(self) -> str:
        """The receiver of the repository's hook."""
        return f"http://127.0.0.1:{self.api_port}/hooks/v1/{RECEIVER}"

    def start_setscrew(self, *, register: bool = True, seconds: float = _PATIENCE_SECONDS) -> None:
        """Start `setscrew run` and wait, for so long, until its first snapshot is there."""
        config = self.configured()
        repository.install_hook(self.repository, self.hook_url, self.directory / "hook-secret")
        command = [sys.executable, "-m", "setscrew", "run", "--state", str(self.state_dir), "--config", str(config)]
        command += ["--kubeconfig", str(self.account("setscrew-reconciler"))]
        command += ["--canonicalizer-kubeconfig", str(self.account("setscrew-canonicalizer"))]
        command += ["--canary-kubeconfig", str(self.account("setscrew-canary"))]
        command += ["--canary-interval", str(self.canary_seconds)]
        command += ["--healer-kubeconfig", str(self.account("setscrew-healer"))] if self.heals else []
        command += ["--api-audit-log", str(self.plane.audit_log)] if self.audit_policy else []
        command += [
            "--listen-admission",
            f"127.0.0.1:{self.admission_port}",
            "--listen-api",
            f"127.0.0.1:{self.api_port}",
            "--listen-metrics",
            f"127.0.0.1:{self.metrics_port}",
        ]
        command += ["--allow-local-sources", "--scan-interval", str(self.scan_seconds)]
        command += [] if register else ["--no-register"]
        command += ["--enforce"] if self.enforce else []
        command += self.run_options
        with self._log.open("ab") as log:
            environment = {**os.environ, "PATH": f"{self._tool_path()}{os.pathsep}{os.environ.get('PATH', '')}"}
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - started from the main thread
            )
        self._stack.callback(self.stop_setscrew)
        # After a restart there is a snapshot already.
        self.wait("the reconciler", lambda: listens(self.state_dir / RECONCILER_SOCKET))
        self.wait("the first snapshot", lambda: self.snapshot() is not None, seconds)
        self.wait(
            "the API server of Setscrew", lambda: (self.state_dir / "api.json").exists() and self.drift() is not None
        )

    def stop_setscrew(self) -> int:
        """End it as an operator would; returns its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process = None
        return status

    def snapshot(self) -> Any:
        """The current snapshot (webhook.server.feed.SnapshotFile), the same as long as it is current; or None."""
        pointer = self.state_dir / "snapshots" / "current.json"
        self._feed = self._feed or Feed(pointer)
        self._feed.poll()
        return self._feed.current() if pointer.exists() and not self._feed.problem else None

    def enforced(self, commit: str) -> bool:
        """True once the snapshot of that commit is current."""
        snapshot = self.snapshot()
        return snapshot is not None and all(source.commit == commit for source in snapshot.sources.values())

    def unconfirmed(self) -> list[str]:
        """Objects that still have their offline form."""
        snapshot = self.snapshot()
        return [] if snapshot is None else list(_offline(snapshot))

    def drift(self) -> dict[str, Any] | None:
        """The drift report, or None while the server does not answer."""
        from setscrew.api_client import UnreachableError, get_json

        address = read_address(self.state_dir)
        try:
            return get_json(address.url, read_token(address.token_file), "/api/v1/drift", {"limit": "1000"})
        except UnreachableError:
            return None

    def guarded(self) -> bool:
        """True once the API server asks us: it learns of a registration a moment after it is written."""
        note = {"metadata": {"annotations": {"setscrew.dev/probe": "1"}}}
        path, merge = f"{self._probe()}?dryRun=All", "application/merge-patch+json"
        return "denied the request" in str(self.plane.request("PATCH", path, note, content_type=merge).body)

    def _probe(self) -> str:
        """A guarded object that is there: an annotation that steers Setscrew is refused on it."""
        for entry in self.snapshot().entries():
            ref, kind = entry.object.ref, entry.object.kind
            path = object_path(kind, ref.namespace, ref.name)
            if kind.group != "admissionregistration.k8s.io" and self.plane.request("GET", path).status == 200:
                return path
        raise ClusterError("no guarded object is in the cluster yet")

    def wait(self, what: str, done: Callable[[], Any], seconds: float = _PATIENCE_SECONDS) -> float:
        """Wait until `done()` is true; returns the seconds it took. Raises ClusterError with Setscrew's last lines."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                tail = "\n".join(self.log.splitlines()[-15:])
                raise ClusterError(f"{what} did not come within {seconds:.0f} s\n{tail}")
            if self._process is not None and self._process.poll() is not None:
                raise ClusterError(f"setscrew ended with status {self._process.returncode}\n{self.log[-3000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def configured(self) -> Path:
        """The directory of configuration documents, written if it is not there."""
        config = self.directory / "config"
        config.mkdir(exist_ok=True)
        secret = self.directory / "hook-secret"
        if not secret.exists():
            secret.touch(0o600)
            secret.write_text(secrets.token_hex(32))
        documents = [
            document("GitSource", name, {"url": self.repository.url, **spec}) for name, spec in self.sources.items()
        ]
        receiver = {"provider": "github", "secretFile": str(secret), "sources": ["*"]}
        documents.append(document("Receiver", RECEIVER, receiver))
        (config / "setscrew.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return config

    def account(self, name: str) -> Path:
        """A kubeconfig of one of Setscrew's own service accounts."""
        return self.plane.service_account_kubeconfig("setscrew-system", name)

    def _tool_path(self) -> Path:
        """A directory with the pinned helm and kubectl, so that the child finds just these."""
        path = self.directory / "bin"
        path.mkdir(exist_ok=True)
        tools = self.tools or ensure([*CONTROL_PLANE, "helm"])
        for name in ("helm", "kubectl"):
            link = path / name
            if not link.exists():
                link.symlink_to(tools.path(name))
        return path


@lru_cache(maxsize=1)
def _offline(snapshot: SnapshotFile) -> tuple[str, ...]:
    """Asked twenty times a second, and a snapshot never changes."""
    return tuple(str(entry.object.ref) for entry in snapshot.entries() if entry.object.confidence == "offline")


def document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object of Setscrew's own."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _top() -> Path:
    top = Path(__file__).resolve().parents[2]
    if not (top / "manifests" / "base").is_dir():
        raise UsageError("the demo needs a checkout of the repository", where=str(top))
    return top


def dump(documents: Iterable[Any]) -> str:
    """YAML of several documents, for kubectl apply -f -."""
    return "---\n".join(json.dumps(document) + "\n" for document in documents)
