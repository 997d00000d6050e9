"""Owns the run of the real command in a process of its own. Must not judge what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from setscrew.demo.stage import Stage


def setscrew(
    *args: str | Path, environment: Mapping[str, str] | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """One command; its streams as text. `environment` replaces that of the test."""
    return subprocess.run(
        [sys.executable, "-m", "setscrew", *map(str, args)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def setscrew_on(stage: Stage, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """One command on the state directory of a stage, reading its cluster as the administrator."""
    own = {"SETSCREW_STATE": str(stage.state_dir), "KUBECONFIG": str(stage.plane.admin_kubeconfig)}
    return setscrew(*args, environment={**os.environ, **own})
