"""Owns what can go wrong with the control plane; must not print."""

from __future__ import annotations

import subprocess

from reconciler.errors import SetscrewError, ToolMissingError

__all__ = ["BuildError", "ControlPlaneError", "KubectlError", "ToolMissingError"]


class BuildError(ToolMissingError):
    """`go build` of a pinned tool failed; the message ends with its last lines."""

    code = "SS1101"


class ControlPlaneError(SetscrewError):
    """The control plane does not start or a component died; the message carries the tail of each log."""

    code = "SS4100"
    exit_status = 3


class KubectlError(ControlPlaneError):
    """`kubectl` ended with another status than 0; `result` holds its output."""

    code = "SS4101"

    def __init__(self, result: subprocess.CompletedProcess[str]) -> None:
        command = " ".join(str(part) for part in result.args[1:])
        super().__init__(f"kubectl {command}: exit status {result.returncode}: {result.stderr.strip()}")
        self.result = result
