"""Owns the temporary directory of one control plane, and removes those of dead owners; must not start anything."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from setscrew.controlplane.limits import STALE_SECONDS

PREFIX = "setscrew-cp-"
_LOCK = "owner.lock"


@dataclass(frozen=True, slots=True)
class Workdir:
    """A private directory; `lock` is an open file whose lock says that the owner lives."""

    root: Path
    lock: int

    @classmethod
    def create(cls) -> Workdir:
        """A fresh directory, locked by this process until the descriptor is closed everywhere."""
        root = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(root / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in (root / "pki", root / "logs", root / "users", root / "home"):
            path.mkdir(mode=0o700)
        return cls(root, lock)

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def users(self) -> Path:
        """The kubeconfigs."""
        return self.root / "users"

    @property
    def home(self) -> Path:
        """Caches and settings of kubectl and helm, so that those of the person stay untouched."""
        return self.root / "home"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.root / "logs" / f"{component}.log"

    def remove(self) -> None:
        """Delete everything; a second call does nothing."""
        shutil.rmtree(self.root, ignore_errors=True)


def sweep(parent: Path | None = None) -> list[Path]:
    """Remove the directories under `parent` (the system's) that a dead owner left; return them."""
    base = parent or Path(tempfile.gettempdir())
    stale = [path for path in base.glob(f"{PREFIX}*") if _is_stale(path)]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale


def _is_stale(path: Path) -> bool:
    try:
        facts = path.lstat()
        ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
        return ours and time.time() - facts.st_mtime > STALE_SECONDS and not _locked(path / _LOCK)
    except OSError:
        return False  # somebody else is removing it


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
