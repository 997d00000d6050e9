"""Owns a cluster whose objects are watched over a wire, and what tests of that do there. Must not judge drift."""

from __future__ import annotations

from typing import Any, Final

from reconciler.store.findings import last_pass
from setscrew.controlplane import ControlPlane
from tests.support.detector import Detector
from tests.support.waiting import eventually
from tests.support.wiring import Wire

MAPS: Final = "/api/v1/namespaces/watched/configmaps"
ROLES: Final = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
NAMESPACE: Final = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watched"}}
_READABLE: Final = ["namespaces", "deviceclasses", "dials", "customresourcedefinitions"]


def config(name: str, value: str = "a") -> dict[str, Any]:
    """A ConfigMap of the namespace that is watched."""
    metadata = {"name": name, "namespace": "watched"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}


class Story:
    """The cluster, who watches it, and the wire between them."""

    def __init__(self, plane: ControlPlane, detector: Detector, wire: Wire, user: str) -> None:
        self.plane, self.detector, self.wire, self.user = plane, detector, wire, user

    def made(self, path: str, body: dict[str, Any]) -> None:
        """Create it."""
        answer = self.plane.request("POST", path, body)
        assert answer.status == 201, answer.body

    def written(self, path: str, body: dict[str, Any]) -> None:
        """Have it so."""
        answer = self.plane.request("PUT", f"{path}/{body['metadata']['name']}", body)
        assert answer.status == 200, answer.body

    def deleted(self, path: str, name: str) -> None:
        """Take it away."""
        assert self.plane.request("DELETE", f"{path}/{name}").status in (200, 202)

    def found(self, **states: str) -> None:
        """Wait for just these findings, by name."""
        try:
            eventually(lambda: self.detector.findings == states, f"{states}", pause=0.02)
        except AssertionError:
            raise AssertionError(f"{self.detector.findings}, not {states}") from None

    def may_read(self, *resources: str) -> dict[str, Any]:
        """The role of who watches, with these beside the usual."""
        rule = {"apiGroups": ["*"], "resources": [*_READABLE, *resources], "verbs": ["get", "list", "watch"]}
        others = {"nonResourceURLs": ["*"], "verbs": ["get"]}
        return {"metadata": {"name": self.user}, "rules": [rule, others]}

    @property
    def passed_at(self) -> str:
        """When the last full pass was."""
        return last_pass(self.detector.running.reconciler.state).observed_at
