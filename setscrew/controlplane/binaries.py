"""Owns finding the pinned programs, in one fixed order, and asking for a build of what is missing; must not start them.

Order: `$KUBEBUILDER_ASSETS`, PATH, the per-user cache, `setup-envtest`, Go. A binary found in the first two counts only
with the right version, since a control plane of mixed versions fails in ways that look like our own faults.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from setscrew.controlplane import cache
from setscrew.controlplane.build import Builder, can_make, no_go
from setscrew.controlplane.errors import ToolMissingError
from setscrew.controlplane.limits import VERSION_SECONDS
from setscrew.controlplane.pins import TOOLS, Tool, tools_of
from setscrew.controlplane.progress import Progress

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
ALL = tuple(TOOLS)


@dataclass(frozen=True, slots=True)
class Tools:
    """The absolute paths of the programs that were asked for; reading another one raises `ToolMissingError`."""

    paths: Mapping[str, Path]

    def path(self, name: str) -> Path:
        """The path of the program `name`."""
        try:
            return self.paths[name]
        except KeyError:
            raise ToolMissingError(f"{name} was not asked for", hint=f"ensure([{name!r}, …])") from None

    @property
    def etcd(self) -> Path:
        """The etcd server."""
        return self.path("etcd")

    @property
    def kube_apiserver(self) -> Path:
        """The API server."""
        return self.path("kube-apiserver")

    @property
    def kube_controller_manager(self) -> Path:
        """The controllers."""
        return self.path("kube-controller-manager")

    @property
    def kubectl(self) -> Path:
        """The client, also `kubectl kustomize`."""
        return self.path("kubectl")

    @property
    def helm(self) -> Path:
        """The chart renderer."""
        return self.path("helm")


def ensure(
    names: Iterable[str] = ALL, *, environ: Mapping[str, str] | None = None, stream: TextIO | None = None
) -> Tools:
    """Find or build the named programs; progress goes to `stream` (stderr).

    Raises `ToolMissingError` if one is nowhere and cannot be built, `BuildError` if building it fails, UsageError
    where the environment names a Kubernetes that is not pinned.
    """
    environ = os.environ if environ is None else environ
    finder, known = _Finder(environ, Progress(stream or sys.stderr)), tools_of(environ)
    return Tools(finder.all([known[name] for name in dict.fromkeys(names)]))


def find(name: str, *, environ: Mapping[str, str] | None = None) -> Path | None:
    """The program if it is there already; never downloads or builds."""
    environ = os.environ if environ is None else environ
    return _Finder(environ, Progress(sys.stderr)).one(tools_of(environ)[name])


def version(tool: Tool, program: Path) -> str | None:
    """The version that `program` prints, without a leading v; None if it cannot be run or says something else."""
    try:
        done = subprocess.run(
            [str(program), *tool.ask],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    match = re.search(tool.pattern, done.stdout, re.MULTILINE)
    return match.group(1) if match else None


@dataclass(slots=True)
class _Finder:
    environ: Mapping[str, str]
    progress: Progress
    _passed: dict[Path, str] = field(default_factory=dict)

    def all(self, tools: Sequence[Tool]) -> dict[str, Path]:
        found = {tool.name: path for tool in tools if (path := self.one(tool))}
        missing = [tool for tool in tools if tool.name not in found]
        if missing and not can_make(self.environ):
            self._say_passed()
            raise no_go(missing)
        for module in dict.fromkeys(tool.module for tool in missing):
            found |= self._make([tool for tool in missing if tool.module == module])
        return {tool.name: found[tool.name] for tool in tools}

    def one(self, tool: Tool) -> Path | None:
        fitting = (candidate for candidate in self._outside(tool) if self._fits(tool, candidate))
        return next(fitting, None) or self._cached(tool)

    def _outside(self, tool: Tool) -> Iterator[Path]:
        assets = self.environ.get("KUBEBUILDER_ASSETS")
        if assets and _is_program(Path(assets) / tool.name):
            yield (Path(assets) / tool.name).absolute()
        for folder in self.environ.get("PATH", os.defpath).split(os.pathsep):
            on_path = shutil.which(tool.name, path=folder) if folder else None
            if on_path:
                yield Path(on_path).absolute()

    def _fits(self, tool: Tool, program: Path) -> bool:
        if program in self._passed:
            return False
        found = version(tool, program)
        if found is not None and tool.fits(found):
            return True
        self._passed[program] = f"{program} is {found or 'of unknown version'}, needed {tool.accepts}"
        return False

    def _cached(self, tool: Tool) -> Path | None:
        try:
            path = self._cache(tool) / tool.name
        except (ToolMissingError, FileNotFoundError):
            return None
        return path if _is_program(path) else None

    def _cache(self, tool: Tool) -> Path:
        return cache.bin_root(self.environ) / cache.digest(tool.module, cache.modules_root())

    def _make(self, tools: Sequence[Tool]) -> dict[str, Path]:
        target = self._cache(tools[0])
        self._say_passed()
        builder = Builder(cache.modules_root(), target, self.environ, self.progress)
        with cache.exclusive(target, self._waiting):
            _sweep(target)
            if missing := self._missing(tools):
                builder.download(missing)
                self._reject_downloads(missing)
            if missing := self._missing(tools):
                builder.build(missing)
                self.progress.done(f"setscrew: built {', '.join(tool.name for tool in missing)}")
        return {tool.name: target / tool.name for tool in tools}

    def _missing(self, tools: Sequence[Tool]) -> list[Tool]:
        return [tool for tool in tools if self._cached(tool) is None]

    def _reject_downloads(self, tools: Sequence[Tool]) -> None:
        for tool in tools:
            path = self._cached(tool)
            if path and not self._fits(tool, path):
                path.unlink()

    def _say_passed(self) -> None:
        for program, note in self._passed.items():
            if note:
                self.progress.say(f"setscrew: passed over: {note}")
            self._passed[program] = ""  # said once, remembered as unfit

    def _waiting(self) -> None:
        self.progress.tick("setscrew: another process builds the control plane, waiting")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _sweep(target: Path) -> None:
    """Remove what a killed build left; the caller holds the lock, so nobody works there."""
    for leftover in target.glob(".build-*"):
        shutil.rmtree(leftover, ignore_errors=True)
