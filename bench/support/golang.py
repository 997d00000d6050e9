"""Owns the two Go programs of the benchmarks: builds them, without the network. Must not run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from setscrew.controlplane.pins import BUILD_ENVIRONMENT

_SOURCES: Final = Path(__file__).resolve().parents[1] / "go"
# Standard library only: nothing may be fetched, no other Go either.
_ENVIRONMENT: Final = {**BUILD_ENVIRONMENT, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are."""

    server: Path
    load: Path


def build(directory: Path) -> Programs:
    """Build both into `directory`: half a minute the first time, a moment later. Ends the run where that fails."""
    go = shutil.which("go")
    if go is None:
        stop("there is no Go to build the server to compare with: install Go 1.26 or newer (https://go.dev/dl)")
    command = [go, "build", "-trimpath", "-o", f"{directory}/", "./..."]
    done = subprocess.run(
        command, cwd=_SOURCES, env={**os.environ, **_ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        stop(f"building bench/go failed: {done.stderr.strip()[-500:]}")
    return Programs(directory / "server", directory / "load")


def stop(why: str) -> NoReturn:
    """One line on stderr, and exit status 2: what was asked for cannot be measured."""
    print(f"bench: {why}", file=sys.stderr)
    raise SystemExit(2)
