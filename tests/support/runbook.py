"""Owns reading pages of docs/operations and typing their commands, so that a page that is wrong fails a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from setscrew.demo.stage import Stage

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "operations"
_BLOCKS: Final = re.compile(r"^```(\w*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """One page, by its file name."""

    name: str

    def section(self, title: str) -> str:
        """The text below a heading of the second level."""
        _, found, rest = (DIRECTORY / self.name).read_text().partition(f"\n## {title}\n")
        assert found, (self.name, title)
        return rest.partition("\n## ")[0]

    def commands(self, title: str) -> list[str]:
        """The commands of one section, a line each; blocks of a language are no commands."""
        found = [block for language, block in _BLOCKS.findall(self.section(title)) if not language]
        assert found, (self.name, title)
        return [line for block in found for line in block.splitlines()]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an administrator types: as whom, by programs of which directory, and what words in capitals mean there."""

    kubeconfig: Path
    programs: Path
    words: Mapping[str, str] = field(default_factory=dict)

    def typed(self, command: str, words: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """One command of a page; `words` are put in place of capitals such as CONFIG."""
        own = {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        for word, meant in {**self.words, **(words or {})}.items():
            command = re.sub(rf"\b{word}\b", lambda _, meant=meant: meant, command)  # type: ignore[misc] # bound
        return subprocess.run(
            ["bash", "-ec", command],
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def play(self, command: str, words: Mapping[str, str] | None = None) -> str:
        """The same where it must work; returns all that it says."""
        done = self.typed(command, words)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr


def desk(stage: Stage) -> Desk:
    """That of a stage's administrator; STATE is the state directory there."""
    return Desk(stage.plane.admin_kubeconfig, stage.directory / "bin", {"STATE": str(stage.state_dir)})


def typed(stage: Stage, command: str, words: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """One command of a page as the stage's administrator types it."""
    return desk(stage).typed(command, words)


def play(stage: Stage, command: str, words: Mapping[str, str] | None = None) -> str:
    """The same where it must work; returns all that it says."""
    return desk(stage).play(command, words)
