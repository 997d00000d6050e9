"""A real Kubernetes control plane for demo, tests and benchmarks; must never be part of what runs in a cluster.

`ControlPlane.start()` gives one that ends with its owner; `ensure()` gives the pinned programs.
"""

from __future__ import annotations

from setscrew.controlplane.binaries import ALL, CONTROL_PLANE, Tools, ensure, find
from setscrew.controlplane.errors import BuildError, ControlPlaneError, KubectlError, ToolMissingError
from setscrew.controlplane.plane import ControlPlane

__all__ = [
    "ALL",
    "CONTROL_PLANE",
    "BuildError",
    "ControlPlane",
    "ControlPlaneError",
    "KubectlError",
    "ToolMissingError",
    "Tools",
    "ensure",
    "find",
]
