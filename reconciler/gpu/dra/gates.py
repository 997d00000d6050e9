"""Owns DRA-10: feature gates of NVIDIA's DRA driver that exclude each other. Must not judge single gates.

Facts: kubernetes-sigs/dra-driver-nvidia-gpu, pkg/featuregates; a driver with such a pair ends at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.tolerant import containers, mapping, mappings, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final = {"DRA-10": "Feature gates of NVIDIA's DRA driver do not exclude each other"}

# Release 0.6 lets go of the last pair.
_EXCLUSIVE: Final[tuple[tuple[str, str, Severity], ...]] = (
    ("DynamicMIG", "MPSSupport", "error"),
    ("DynamicMIG", "PassthroughSupport", "error"),
    ("PassthroughSupport", "NVMLDeviceHealthCheck", "error"),
    ("DynamicMIG", "NVMLDeviceHealthCheck", "warning"),
)
VARIABLE: Final = "FEATURE_GATES"
_CLUSTER: Final = ("nvidia.com", "GPUCluster")
_GATES: Final = ("spec", "draDriver", "featureGates")


def check_cluster(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """The gates of a GPUCluster."""
    yield from _judged(ref, _GATES, {name for name, on in mapping(tree, *_GATES).items() if on is True})


def check_containers(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """The gates that containers of the driver are started with: `DynamicMIG=true,MPSSupport=true,`."""
    for at, container in containers(tree):
        for index, variable in mappings(container, "env"):
            if variable.get("name") == VARIABLE:
                pairs = (pair.partition("=") for pair in text(variable, "value").split(","))
                on = {name.strip() for name, _, value in pairs if value.strip().lower() in {"true", "t", "1"}}
                yield from _judged(ref, (*at, "env", index, "value"), on)


def _judged(ref: ObjectRef, path: Path, on: set[str]) -> Iterator[Problem]:
    for one, other, severity in _EXCLUSIVE:
        if {one, other} <= on:
            most = "the driver does not start" if severity == "error" else "releases before 0.6 do not start"
            message = f"feature gates {one} and {other} exclude each other: {most}"
            yield Problem("DRA-10", severity, ref, path, message, f"turn off {one} or {other}")


CHECKERS: Final = (
    Checker((_CLUSTER,), check_cluster),
    Checker((("apps", "DaemonSet"), ("apps", "Deployment")), check_containers),
)
