"""Owns the demo's Git repository: a bare one that people push to, a working copy, and the hook that tells the receiver.

Must not know what is in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import SourceError, ToolMissingError

BRANCH: Final = "main"
_AUTHOR: Final = {
    "GIT_AUTHOR_NAME": "Dana",
    "GIT_AUTHOR_EMAIL": "dana@example.com",
    "GIT_COMMITTER_NAME": "Dana",
    "GIT_COMMITTER_EMAIL": "dana@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """`remote` is the bare repository, `work` the working copy of whoever pushes."""

    remote: Path
    work: Path

    @property
    def url(self) -> str:
        """As a GitSource names it (local repositories need `--allow-local-sources`)."""
        return self.remote.absolute().as_uri()

    def commit(self, subject: str) -> str:
        """Commit all of the working copy; returns the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD").strip()

    def push(self) -> str:
        """Push the branch; the hook's talk is returned. Raises SourceError."""
        return self.git("push", "--quiet", "origin", BRANCH)

    def git(self, *args: str) -> str:
        """Run git in the working copy."""
        return _git(self.work, *args)


def create(directory: Path) -> Repository:
    """An empty repository below `directory`. Raises ToolMissingError without git."""
    repository = Repository(directory / "deploy.git", directory / "work")
    directory.mkdir(parents=True, exist_ok=True)
    _git(directory, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(repository.remote))
    _git(directory, "init", "--quiet", f"--initial-branch={BRANCH}", str(repository.work))
    repository.git("remote", "add", "origin", str(repository.remote))
    return repository


def install_hook(repository: Repository, url: str, secret_file: Path) -> None:
    """A post-receive hook that sends each push to a receiver, signed as GitHub signs."""
    hook = repository.remote / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    command = f'exec "{sys.executable}" -m setscrew.demo.hook "{url}" "{secret_file}" "{repository.url}"'
    hook.write_text(f"#!/bin/sh\n{command}\n")
    hook.chmod(0o755)


def environment() -> dict[str, str]:
    """What git needs beside the process's own environment: an author, and none of the person's settings."""
    return dict(_AUTHOR)


def _git(directory: Path, *args: str) -> str:
    program = shutil.which("git")
    if program is None:
        raise ToolMissingError("git is not installed", hint="install git 2.30 or newer")
    done = subprocess.run(
        [program, *args],
        cwd=directory,
        env={**os.environ, **_AUTHOR},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise SourceError(f"git {args[0]} failed: {done.stderr.strip()[-300:]}", where=str(directory))
    return done.stdout + (done.stderr if args[0] == "push" else "")
