"""Owns getting a tool that is nowhere yet, from `setup-envtest` or `go build`; must not look for it elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from setscrew.controlplane.errors import BuildError, ToolMissingError
from setscrew.controlplane.limits import BUILD_TAIL_LINES, DOWNLOAD_SECONDS
from setscrew.controlplane.pins import BUILD_ENVIRONMENT, Tool, envtest_version
from setscrew.controlplane.progress import Progress


@dataclass(frozen=True, slots=True)
class Builder:
    """Fills one cache directory; the caller holds its lock."""

    sources: Path
    target: Path
    environ: Mapping[str, str]
    progress: Progress

    def build(self, tools: Sequence[Tool]) -> None:
        """Build `tools`, all of one module, and move them into the cache one by one, each complete.

        Raises `ToolMissingError` without Go and `BuildError` where Go fails.
        """
        go = _which("go", self.environ)
        if go is None:
            raise no_go(tools)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=self.target) as scratch:
            for tool in tools:
                self._go_build(go, tool, Path(scratch))
                (Path(scratch) / tool.name).replace(self.target / tool.name)

    def download(self, tools: Sequence[Tool]) -> None:
        """Try `setup-envtest` for those tools that it knows; whatever goes wrong, the build comes next."""
        program = _which("setup-envtest", self.environ)
        wanted = [tool for tool in tools if tool.envtest]
        if program is None or not wanted:
            return
        self.progress.say(f"setscrew: asking setup-envtest for {', '.join(tool.name for tool in wanted)}")
        with tempfile.TemporaryDirectory(prefix=".build-", dir=self.target) as scratch:
            command = [program, "use", envtest_version(wanted[0]), "-p", "path", "--bin-dir", scratch]
            found = _quiet(command, dict(self.environ), DOWNLOAD_SECONDS)
            if found is None or not Path(found).is_dir():
                self.progress.say("setscrew: setup-envtest brought nothing")
                return
            for tool in wanted:
                if (Path(found) / tool.name).is_file():
                    _install(Path(found) / tool.name, Path(scratch) / tool.name, self.target / tool.name)

    def _go_build(self, go: str, tool: Tool, scratch: Path) -> None:
        module = tool.module
        command = [go, "build", *module.flags, "-o", str(scratch / tool.name), tool.package]
        text = f"setscrew: building {tool.name} {module.version} (the first build takes 10-15 minutes)"
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=self.sources / module.name,
                env={**self.environ, **BUILD_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            self._wait(process, text)
            if process.returncode != 0:
                output.seek(0)
                raise BuildError(f"building {tool.name} failed:\n{_tail(output.read())}", where="go build")

    def _wait(self, process: subprocess.Popen[bytes], text: str) -> None:
        try:
            while process.poll() is None:
                self.progress.tick(text)
                _settle(process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _install(source: Path, scratch: Path, target: Path) -> None:
    """Copy, then rename: setup-envtest makes its directories read-only, so nothing can be moved out of them."""
    shutil.copyfile(source, scratch)
    scratch.chmod(0o755)
    scratch.replace(target)


_NO_GO_HINT = (
    "install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a directory with these binaries, "
    "or put them on PATH"
)


def no_go(tools: Sequence[Tool]) -> ToolMissingError:
    """The error that names all of `tools` and says what to do."""
    names = ", ".join(f"{tool.name} {tool.accepts}" for tool in tools)
    return ToolMissingError(f"not found: {names}; and there is no Go to build it with", hint=_NO_GO_HINT)


def can_make(environ: Mapping[str, str]) -> bool:
    """Whether there is anything that could bring a missing tool."""
    return any(_which(name, environ) for name in ("go", "setup-envtest"))


def _which(name: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(name, path=environ.get("PATH", os.defpath))


def _settle(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return


def _quiet(command: Sequence[str], environ: dict[str, str], seconds: float) -> str | None:
    """The stdout of `command`, or None if it fails in any way or takes longer."""
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=seconds, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-BUILD_TAIL_LINES:])
