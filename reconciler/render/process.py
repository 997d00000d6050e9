"""Owns running child processes for rendering: clean environment, own group, limits, deadline. The only runner here.

Output goes to files under a cap, never to pipes: a child that floods its output fills a bounded file and dies, and
nothing of it sits in this process's memory. Where the machine allows it a child has no network at all
(`reconciler.render.isolation`). Must not know what a child computes.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reconciler import limits
from reconciler.errors import RenderError, ToolMissingError
from reconciler.render import isolation

_STDERR_BYTES = limits.MIB
_STDERR_LINES = 12
_TALK_BYTES = 64 * limits.KIB
# So many children at a time, whoever asks for them: more would only take turns, and add up their memory.
_PLACES = threading.BoundedSemaphore(min(limits.RENDERS_AT_ONCE, os.cpu_count() or 1))
# The child starts nothing before its limits stand: it waits for a byte on the pipe whose number is $0.
_GATE = 'read -r go < "/dev/fd/$0" && exec "$@"'
_USER_INFO = re.compile(r"(\w+://)[^/@\s]+@")
# How programs say that they ran into a limit that the kernel only answers with an error.
_OUT_OF = (
    (re.compile(r"runtime: (out of|cannot allocate) memory|MemoryError", re.IGNORECASE), "memory", "SS3018"),
    (
        re.compile(r"new OS thread|start new thread|resource temporarily unavailable", re.IGNORECASE),
        "processes",
        "SS3019",
    ),
    (re.compile(r"too many open files", re.IGNORECASE), "open files", "SS3019"),
)
_NOWHERE = "http://127.0.0.1:9"

# What every child sees. No PATH: renderers start no programs, and a kustomization must find no git.
BASE_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/nonexistent",
    "LANG": "C.UTF-8",
    "KUBECONFIG": "/dev/null",
    "GIT_ALLOW_PROTOCOL": "none",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _NOWHERE),
    "NO_PROXY": "",
    "GOMEMLIMIT": str(limits.RENDER_MEMORY_BYTES // 2),
    "GOMAXPROCS": str(limits.RENDERS_AT_ONCE),
    "GOTRACEBACK": "none",
}


@dataclass(frozen=True, slots=True)
class Finished:
    """A child that ended by itself: exit status, the file with its output, the last lines of its stderr."""

    status: int
    output: Path
    stderr: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one child. Seconds of wall clock and CPU, bytes of output, of data in memory, and of its addresses.

    Go reserves addresses that it never uses, so a tool written in it has none of the last (0).
    """

    wall_seconds: float = limits.RENDER_WALL_SECONDS
    cpu_seconds: int = limits.RENDER_CPU_SECONDS
    output_bytes: int = limits.RENDERED_BYTES
    memory_bytes: int = limits.RENDER_MEMORY_BYTES
    address_bytes: int = 0


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A fresh private directory, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="setscrew-render-") as name:
        yield Path(name).resolve()


def run(
    argv: Sequence[str],
    *,
    home: Path,
    name: str,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    bounds: Limits | None = None,
    secrets: Sequence[str] = (),
) -> Finished:
    """Run `argv` in `home` (its HOME, TMPDIR and place of its output) and wait.

    `environment` is added to BASE_ENVIRONMENT; nothing is inherited. `name` is what messages call the child. Texts in
    `secrets` are blotted out of stderr. Raises RenderError when a limit is passed, ToolMissingError when it does not
    start.
    """
    bounds = bounds or Limits()
    if not os.access(argv[0], os.X_OK):
        raise ToolMissingError(f"cannot run {name}: no such program", where=str(argv[0]))
    output, errors, given = (home / f".{name}.{part}" for part in ("out", "err", "in"))
    given.write_bytes(stdin)
    full = {**BASE_ENVIRONMENT, "HOME": str(home), "TMPDIR": str(home), **(environment or {})}
    command = (*isolation.prefix(), *argv)
    with _PLACES, given.open("rb") as source, output.open("wb") as sink, errors.open("wb") as talk:
        process, gate = _start(command, cwd=home, env=full, stdin=source, stdout=sink, stderr=talk)
        try:
            with contextlib.suppress(BrokenPipeError), gate:  # it may have died; its status tells
                _restrain(process.pid, bounds)
                gate.write(b"\n")
            status = process.wait(bounds.wall_seconds)
        except subprocess.TimeoutExpired:
            raise RenderError(f"{name} took more than {bounds.wall_seconds:g} s", code="SS3015") from None
        finally:
            _end(process)
    _judge(name, status, output, errors, bounds)
    return Finished(status, output, _tail(errors, secrets))


def _start(argv: Sequence[str], **options: Any) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The child behind its gate, and the gate: a line written to it lets the child begin."""
    gate, opener = os.pipe()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, str(gate), *argv], start_new_session=True, pass_fds=(gate,), **options
        )
    except OSError:
        os.close(opener)
        raise
    finally:
        os.close(gate)
    return process, os.fdopen(opener, "wb")


def _restrain(pid: int, bounds: Limits) -> None:
    """Set the limits from outside: a preexec function is not safe in a process with threads."""
    files = max(bounds.output_bytes, _STDERR_BYTES)
    wanted = {
        resource.RLIMIT_CPU: (bounds.cpu_seconds, bounds.cpu_seconds + 1),
        resource.RLIMIT_FSIZE: (files, files),
        resource.RLIMIT_NOFILE: (limits.RENDER_OPEN_FILES, limits.RENDER_OPEN_FILES),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_DATA: (bounds.memory_bytes, bounds.memory_bytes),
    }
    if bounds.address_bytes:
        wanted[resource.RLIMIT_AS] = (bounds.address_bytes, bounds.address_bytes)
    with contextlib.suppress(ProcessLookupError):  # it may already be done
        for kind, pair in wanted.items():
            resource.prlimit(pid, kind, pair)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the child's group, then collect it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _judge(name: str, status: int, output: Path, errors: Path, bounds: Limits) -> None:
    if output.stat().st_size >= bounds.output_bytes:
        raise RenderError(f"{name} printed more than {bounds.output_bytes // limits.KIB} KiB", code="SS3017")
    if errors.stat().st_size >= max(bounds.output_bytes, _STDERR_BYTES):
        raise RenderError(f"{name} printed more than it may on stderr", code="SS3017")
    if -status in {signal.SIGXCPU, signal.SIGKILL}:
        raise RenderError(f"{name} used more than {bounds.cpu_seconds} s of CPU or was killed", code="SS3016")
    if status == -signal.SIGXFSZ:
        raise RenderError(f"{name} wrote a file of more than {bounds.output_bytes // limits.KIB} KiB", code="SS3017")
    if status:
        said = _first(errors)
        for words, what, code in _OUT_OF:
            if words.search(said):
                raise RenderError(f"{name} ran out of {what}", code=code)
    if status < 0:
        raise RenderError(f"{name} died of {signal.Signals(-status).name}", code="SS3003")


def _first(errors: Path) -> str:
    with errors.open("rb") as stream:
        return stream.read(_TALK_BYTES).decode("utf-8", "replace")


def _tail(errors: Path, secrets: Sequence[str]) -> str:
    with errors.open("rb") as stream:
        stream.seek(max(0, errors.stat().st_size - _TALK_BYTES))
        text = stream.read().decode("utf-8", "replace")
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _USER_INFO.sub(r"\1***@", text)
    return "\n".join([line for line in text.splitlines() if line.strip()][-_STDERR_LINES:])
