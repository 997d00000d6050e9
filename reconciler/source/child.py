"""Owns the walls around the programs that read sources, git and gpg: exact environment, deadline, own process group.

Output goes to files under a cap, never to pipes. Must not know what a program says.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler import limits
from reconciler.errors import SourceError


@dataclass(frozen=True, slots=True)
class Finished:
    """A child that ended by itself: its exit status, its stdout, and the beginning of its stderr."""

    status: int
    output: bytes
    errors: bytes


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    name: str,
    stdin: bytes = b"",
    seconds: float = limits.GIT_SECONDS,
    file_bytes: int = limits.GIT_OUTPUT_BYTES,
    where: str = "",
) -> Finished:
    """Run `argv`; no file that it writes, stdout among them, grows over `file_bytes`. `name` is what messages call it.

    Raises SourceError on the deadline, or when a file would be larger. Nothing of its process group outlives the call.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  argument list, no shell
            argv, cwd=cwd, env=dict(env), stdin=subprocess.PIPE, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            with contextlib.suppress(ProcessLookupError):  # it may already be done
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
            process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise SourceError(f"{name} took more than {seconds:g} s", where=where, code="SS2001") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode == -signal.SIGXFSZ:
            raise SourceError(f"{name} wrote more than {file_bytes // limits.MIB} MiB", where=where, code="SS2007")
        output.seek(0)
        errors.seek(0)
        return Finished(process.returncode, output.read(), errors.read(limits.MIB))
