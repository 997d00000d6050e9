"""Owns running git: exact environment, deadline, own process group, no user information in messages.

GitPython would merge its `env` over this process's environment, so tokens, proxies and GIT_* of the caller would reach
git; here git sees what stands below and nothing else. Must not know what a source is.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import SourceError, ToolMissingError

_USER_INFO: Final = re.compile(r"(\w+://)[^/@\s]+@")
_SSH: Final = (
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o ConnectTimeout=10"
)
_CONFIG: Final[Mapping[str, str]] = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.protectNTFS": "true",
    "core.protectHFS": "true",
    "protocol.ext.allow": "never",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
    "fetch.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "credential.helper": "",
}


def environment(mirror: Path, *, allow_local: bool) -> dict[str, str]:
    """All that git sees: no user or system configuration, no prompt, https and ssh only (file too if `allow_local`)."""
    settings = {
        **_CONFIG,
        "protocol.file.allow": "always" if allow_local else "never",
        "safe.directory": str(mirror),
    }
    values = {
        "PATH": f"{Path(_git()).parent}{os.pathsep}{os.defpath}",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if allow_local else "https:ssh",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_SSH_COMMAND": _SSH,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        values[f"GIT_CONFIG_KEY_{number}"] = key
        values[f"GIT_CONFIG_VALUE_{number}"] = value
    return values


def run(
    mirror: Path,
    arguments: Sequence[str],
    *,
    allow_local: bool = False,
    stdin: bytes = b"",
    seconds: float = limits.GIT_SECONDS,
    file_bytes: int = limits.GIT_OUTPUT_BYTES,
    where: str = "",
) -> bytes:
    """Stdout of `git <arguments>` in `mirror`; no file that it writes, stdout among them, grows over `file_bytes`.

    Raises SourceError with git's own last words, on the deadline, or when a file would be larger.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  argument list, no shell; values that could be options follow --end-of-options
            [_git(), *arguments],
            cwd=mirror,
            env=environment(mirror, allow_local=allow_local),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            with contextlib.suppress(ProcessLookupError):  # it may already be done
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
            process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise SourceError(f"git {arguments[0]} took more than {seconds:g} s", where=where, code="SS2001") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode == -signal.SIGXFSZ:
            message = f"git {arguments[0]} wrote more than {file_bytes // limits.MIB} MiB"
            raise SourceError(message, where=where, code="SS2007")
        errors.seek(0)
        if process.returncode:
            words = _last_words(errors.read(limits.MIB))
            raise SourceError(f"git {arguments[0]} failed: {words}", where=where, code="SS2002")
        output.seek(0)
        return output.read()


def _last_words(errors: bytes) -> str:
    rows = [row.strip() for row in errors.decode("utf-8", "replace").splitlines() if row.strip()]
    text = "; ".join(row.removeprefix("fatal: ") for row in rows[:3]) or "no message"
    return _USER_INFO.sub(r"\1***@", text)


def _git() -> str:
    found = shutil.which("git")
    if not found:
        raise ToolMissingError("git not found", hint="install git 2.30 or newer")
    return found
