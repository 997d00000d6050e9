"""Owns starting the components in order and knowing when they are ready; must not know users beyond its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from setscrew.controlplane import flags, kubeconfig, logs
from setscrew.controlplane.api import Api
from setscrew.controlplane.binaries import Tools
from setscrew.controlplane.errors import ControlPlaneError
from setscrew.controlplane.flags import Options, Ports, Site
from setscrew.controlplane.limits import LOG_TAIL_LINES, POLL_SECONDS, READY_SECONDS
from setscrew.controlplane.pki import Pki, write_private
from setscrew.controlplane.ports import Reservation, listens
from setscrew.controlplane.processes import Processes
from setscrew.controlplane.workdir import Workdir

COMMANDS: Final[dict[str, Callable[[Site], list[str]]]] = {
    "etcd": flags.etcd,
    "kube-apiserver": flags.api_server,
    "kube-controller-manager": flags.controller_manager,
}
COMPONENTS: Final = tuple(COMMANDS)
_OPERATOR: Final = "setscrew-operator"
_CONTROLLERS: Final = "system:kube-controller-manager"


class PortTakenError(ControlPlaneError):
    """Somebody took a port in spite of the reservation; another attempt gets other ports."""


@dataclass(slots=True)
class Launch:
    """The running components of one control plane."""

    site: Site
    processes: Processes
    api: Api
    health: Api
    held: Sequence[Reservation]
    pids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, tools: Tools, options: Options) -> Launch:
        """Start all components and wait; on any failure nothing is left behind.

        Raises `ControlPlaneError` with the logs, `PortTakenError` where a new attempt makes sense.
        """
        launch = cls._prepare(tools, options)
        try:
            launch.run("etcd")
            launch.run("kube-apiserver")
            launch.wait_ready("kube-apiserver")
            if options.one_controller_identity:
                launch.bind_controllers()
            launch.run("kube-controller-manager")
            launch.wait_ready("kube-controller-manager")
        except BaseException:
            launch.stop()
            raise
        return launch

    @classmethod
    def _prepare(cls, tools: Tools, options: Options) -> Launch:
        workdir = Workdir.create()
        processes = Processes(workdir)
        held = [Reservation.take() for _ in range(3)]
        try:
            now = datetime.now(UTC)
            site = Site(tools, workdir, Pki.create(workdir.pki, now), Ports(*(hold.port for hold in held)), options)
            _write_accounts(site, now)
            ca, (shown, key) = site.pki.certificate("ca"), _operator_files(site)
            api = Api.create(site.ports.api_server, ca, shown, key)
            return cls(site, processes, api, Api.create(site.ports.controller_manager, ca, shown, key), held)
        except BaseException:
            _release(held)
            processes.close()
            raise

    def stop(self) -> None:
        """End everything; a second call does nothing."""
        _release(self.held)
        self.processes.close()

    def run(self, name: str) -> None:
        """Start one component."""
        self.pids[name] = self.processes.start(name, COMMANDS[name](self.site), self.site.workdir.log(name))

    def halt(self, name: str) -> None:
        """End one component as its operator would."""
        self.processes.stop(name)
        del self.pids[name]

    def wait_ready(self, name: str) -> None:
        """Wait until a component does its work.

        Raises `ControlPlaneError` with the end of every log if one dies or it takes too long.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready(name):
            if ended := self.processes.exited():
                raise self._failure(", ".join(f"{who} ended with status {status}" for who, status in ended.items()))
            if time.monotonic() > deadline:
                raise self._failure(f"{name} is not ready after {READY_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def bind_controllers(self) -> None:
        """Give the controllers' common identity their rights: by itself RBAC binds their service accounts only."""
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": "setscrew-controllers"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": _CONTROLLERS}],
        }
        self.api.create_if_absent(f"/apis/{group}/v1/clusterrolebindings", binding)

    def tails(self, lines: int = LOG_TAIL_LINES) -> dict[str, str]:
        """The end of each component's log."""
        return {name: logs.tail(self.site.workdir.log(name), lines) for name in COMPONENTS}

    def _is_ready(self, name: str) -> bool:
        if name == "kube-controller-manager":
            # The default service account is made by a controller: once it is there, controllers do run.
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            return self.health.answers("/healthz") and self.api.answers(account)
        return listens(self.site.ports.etcd) and ("kube-apiserver" not in self.pids or self.api.answers("/readyz"))

    def _failure(self, what: str) -> ControlPlaneError:
        tails = self.tails()
        taken = any("address already in use" in text for text in tails.values())
        kind = PortTakenError if taken else ControlPlaneError
        return kind(f"the control plane does not start: {what}\n{logs.together(tails)}")


def _write_accounts(site: Site, now: datetime) -> None:
    ca, server = site.pki.users.pair.certificate, f"https://127.0.0.1:{site.ports.api_server}"
    content = kubeconfig.with_certificate(server, ca, _CONTROLLERS, site.pki.user(_CONTROLLERS, (), now))
    write_private(site.workdir.users / "controller-manager.kubeconfig", content)
    site.pki.keep(_OPERATOR, site.pki.user(_OPERATOR, ("system:masters",), now))


def _operator_files(site: Site) -> tuple[Path, Path]:
    return site.pki.certificate(_OPERATOR), site.pki.key(_OPERATOR)


def _release(held: Sequence[Reservation]) -> None:
    for reservation in held:
        reservation.release()
