"""Owns the fixtures of the real control plane; must not start one before a test asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from setscrew.controlplane import CONTROL_PLANE, ControlPlane, Tools, ensure

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The control plane's programs and helm; built on first use."""
    return ensure([*CONTROL_PLANE, "helm"])


class Shared:
    """The one control plane of a worker: started when a module wants it, ended when one brings its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._plane: ControlPlane | None = None

    def get(self) -> ControlPlane:
        """The running one, or a fresh one."""
        self._plane = self._plane or ControlPlane.start(self._tools)
        return self._plane

    def stop(self) -> None:
        """End it, if it runs."""
        if self._plane is not None:
            self._plane.stop()
        self._plane = None


@pytest.fixture(scope="session")
def shared(tools: Tools) -> Iterator[Shared]:
    """Ask for `control_plane` or `alone` instead."""
    one = Shared(tools)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def control_plane(shared: Shared) -> ControlPlane:
    """One control plane for all tests of a worker: work in `namespace`, and remove what you make cluster-wide."""
    return shared.get()


@pytest.fixture(scope="module")
def alone(shared: Shared) -> None:
    """For modules with a stage of their own: no more than one control plane runs in a worker."""
    shared.stop()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace of a unique name; its deletion is asked for at the end, and not waited for."""
    name = f"test-{next(_NUMBERS)}"
    answer = control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.status == 201, answer.body
    yield name
    control_plane.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def editor(control_plane: ControlPlane, namespace: str) -> Path:
    """The kubeconfig of a person who may edit `namespace` (ClusterRole `edit`) and nothing else."""
    user = f"editor-of-{namespace}"
    binding: dict[str, Any] = {
        "metadata": {"name": "editor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    answer = control_plane.request("POST", path, binding)
    assert answer.status == 201, answer.body
    return control_plane.kubeconfig(user)


@pytest.fixture
def cluster_admin(control_plane: ControlPlane) -> Iterator[Callable[[str], Path]]:
    """Kubeconfigs of people bound to `cluster-admin` by RBAC, not through `system:masters`; unbound at the end."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    bound: list[str] = []

    def bind(user: str) -> Path:
        name = f"test-{next(_NUMBERS)}"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
        answer = control_plane.request(
            "POST", path, {"metadata": {"name": name}, "roleRef": role, "subjects": subjects}
        )
        assert answer.status == 201, answer.body
        bound.append(name)
        return control_plane.kubeconfig(user)

    yield bind
    for name in bound:
        control_plane.request("DELETE", f"{path}/{name}")
