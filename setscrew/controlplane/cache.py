"""Owns the per-user cache of binaries: its place, its digest and its lock; must not build or download."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from setscrew.controlplane.errors import ToolMissingError
from setscrew.controlplane.pins import BUILD_ENVIRONMENT, Module


def modules_root() -> Path:
    """The directory that holds `kubernetes/go.mod` and its siblings: packaged, else of the checkout.

    Raises `ToolMissingError` where neither is there.
    """
    packaged = Path(__file__).parents[1] / "_tools"
    checkout = Path(__file__).parents[2] / "tools"
    for root in (packaged, checkout):
        if (root / "kubernetes" / "go.mod").is_file():
            return root
    raise ToolMissingError(
        "the pinned go.mod files of the control plane are not part of this installation",
        where=str(checkout),
        hint="run it from a clone of the repository, or set KUBEBUILDER_ASSETS to a directory with the binaries",
    )


def bin_root(environ: Mapping[str, str]) -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/setscrew/bin`; an XDG path that is not absolute is ignored, as its rules say."""
    named = environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path(environ.get("HOME") or Path.home()) / ".cache"
    return base / "setscrew" / "bin"


def digest(module: Module, sources: Path) -> str:
    """Twenty hex digits that change with go.mod, go.sum, the flags or the platform."""
    state = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        content = (sources / module.name / name).read_bytes()
        state.update(f"{name} {len(content)}\n".encode() + content)
    state.update(repr((module.flags, sorted(BUILD_ENVIRONMENT.items()), sys.platform, platform.machine())).encode())
    return state.hexdigest()[:20]


@contextmanager
def exclusive(directory: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of `directory` (made if absent); `on_wait` is called every half second while another holds it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        while not _try_lock(handle.fileno()):
            on_wait()
            time.sleep(0.5)
        yield  # closing the file gives the lock back


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
