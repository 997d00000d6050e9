"""Owns one control plane from start to stop; must not find binaries itself nor know what it is used for."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from setscrew.controlplane import binaries, workdir
from setscrew.controlplane.api import Answer
from setscrew.controlplane.binaries import Tools
from setscrew.controlplane.errors import ControlPlaneError, KubectlError
from setscrew.controlplane.flags import Options, Site
from setscrew.controlplane.kubeconfig import with_certificate, with_token
from setscrew.controlplane.launch import COMPONENTS, Launch, PortTakenError
from setscrew.controlplane.limits import KUBECTL_SECONDS, START_ATTEMPTS
from setscrew.controlplane.pki import write_private

MASTERS = "system:masters"
ADMIN = "admin"


class ControlPlane:
    """A Kubernetes control plane on loopback: etcd, API server, controllers; RBAC on, no nodes.

    Use it as a context manager. It ends with this process, however this process ends.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._issued = 0
        self.admin_kubeconfig = self.kubeconfig(ADMIN, [MASTERS])

    @classmethod
    def start(
        cls,
        tools: Tools | None = None,
        *,
        feature_gates: Sequence[str] = (),
        runtime_config: Sequence[str] = (),
        audit_policy: Path | None = None,
        api_server_args: Sequence[str] = (),
        controller_manager_args: Sequence[str] = (),
        one_controller_identity: bool = False,
    ) -> ControlPlane:
        """Start one and return when it is ready: it answers, and its controllers work.

        `tools` defaults to `binaries.ensure(CONTROL_PLANE)`, which may build for minutes. With
        `one_controller_identity` all controllers act as `system:kube-controller-manager`. Raises `ControlPlaneError`
        with the end of every log if it does not get ready.
        """
        workdir.sweep()
        options = Options(
            *(feature_gates, runtime_config, audit_policy, api_server_args, controller_manager_args),
            one_controller_identity=one_controller_identity,
        )
        chosen = tools or binaries.ensure(binaries.CONTROL_PLANE)
        for _ in range(START_ATTEMPTS - 1):
            with suppress(PortTakenError):
                return cls(Launch.start(chosen, options))
        return cls(Launch.start(chosen, options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End every component and remove all files; a second call does nothing."""
        self._launch.stop()

    @property
    def site(self) -> Site:
        """Binaries, directories, keys, ports and options."""
        return self._launch.site

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://127.0.0.1:{self.site.ports.api_server}"

    @property
    def ca_file(self) -> Path:
        """The authority that signed the API server's certificate (PEM)."""
        return self.site.pki.certificate("ca")

    @property
    def directory(self) -> Path:
        """The temporary directory that ends with the control plane."""
        return self.site.workdir.root

    @property
    def audit_log(self) -> Path:
        """The API server's audit log (JSON lines), if an audit policy was given."""
        return self.site.workdir.log("audit")

    @property
    def pids(self) -> Mapping[str, int]:
        """The process id of each component that runs, and of the `supervisor`."""
        return {**self._launch.pids, "supervisor": self._launch.processes.pid}

    def kubeconfig(self, user: str, groups: Iterable[str] = ()) -> Path:
        """A kubeconfig of `user` in `groups` with a fresh client certificate; the user has no rights until bound.

        Raises ValueError for a name that does not fit into a certificate (1 to 64 characters).
        """
        pair = self.site.pki.user(user, tuple(groups), _now())
        return self._write_user(user, with_certificate(self.server, self.ca_file.read_bytes(), user, pair))

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig of a service account (made with its namespace if absent), with a token that expires in a day."""
        token = self._launch.api.service_account_token(namespace, name)
        user = f"system:serviceaccount:{namespace}:{name}"
        return self._write_user(user, with_token(self.server, self.ca_file.read_bytes(), user, token))

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """The environment for kubectl and helm as a user (admin): the person's own caches and settings stay out."""
        home = self.site.workdir.home
        ours = {
            "KUBECONFIG": str(kubeconfig or self.admin_kubeconfig),
            "KUBECACHEDIR": str(home / "kube"),  # else discovery of another server that once had this port
            "KUBERC": "off",
            "HELM_CACHE_HOME": str(home / "helm-cache"),
            "HELM_CONFIG_HOME": str(home / "helm-config"),
            "HELM_DATA_HOME": str(home / "helm-data"),
        }
        return {**os.environ, **ours}

    def kubectl(
        self,
        *args: str | Path,
        kubeconfig: Path | None = None,
        input: str | None = None,  # noqa: A002 - the name that subprocess has taught everyone
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl as a user (admin) with `input` on stdin.

        Raises `KubectlError` if `check` and the status is not 0, `subprocess.TimeoutExpired` after two minutes.
        """
        result = subprocess.run(
            [str(self.site.tools.kubectl), *(str(arg) for arg in args)],
            env=self.environment(kubeconfig),
            capture_output=True,
            text=True,
            check=False,
            timeout=KUBECTL_SECONDS,
            **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
        )
        if check and result.returncode != 0:
            raise KubectlError(result)
        return result

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Answer:
        """One HTTPS request as admin; every HTTP status is an answer. Raises `ControlPlaneError` if there is none."""
        try:
            return self._launch.api.request(method, path, body, content_type=content_type)
        except (OSError, HTTPException) as error:
            raise ControlPlaneError(f"no answer: {error}", where=f"{method} {path}") from error

    def logs(self, lines: int | None = None) -> dict[str, str]:
        """The last lines (15) of each component's log by name."""
        return self._launch.tails() if lines is None else self._launch.tails(lines)

    def stop_component(self, name: str) -> None:
        """End one component (etcd, kube-apiserver, kube-controller-manager) as its operator would."""
        self._launch.halt(_component(name))

    def start_component(self, name: str) -> None:
        """Start a stopped component again, with the flags and the port that it had, and wait until it is ready."""
        self._launch.run(_component(name))
        self._launch.wait_ready(name)

    def pause_component(self, name: str) -> None:
        """Freeze one component: it keeps its connections and answers nobody."""
        self._launch.processes.pause(_component(name))

    def resume_component(self, name: str) -> None:
        """Let a frozen component go on."""
        self._launch.processes.resume(_component(name))

    def _write_user(self, user: str, content: bytes) -> Path:
        self._issued += 1
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", user)
        path = self.site.workdir.users / f"{readable}-{self._issued}.kubeconfig"
        write_private(path, content)
        return path


def _component(name: str) -> str:
    if name not in COMPONENTS:
        raise ControlPlaneError(f"no component {name!r}", hint=f"one of {', '.join(COMPONENTS)}")
    return name


def _now() -> datetime:
    return datetime.now(UTC)
