"""Owns running git: exact environment, deadline, no user information in messages; `child` has the walls around it.

GitPython would merge its `env` over this process's environment, so tokens, proxies and GIT_* of the caller would reach
git; here git sees what stands below and nothing else. Must not know what a source is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import SourceError, ToolMissingError
from reconciler.source import child

_USER_INFO: Final = re.compile(r"(\w+://)[^/@\s]+@")
SSH: Final = (
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null"
    " -o IdentitiesOnly=yes -o IdentityAgent=none -o PasswordAuthentication=no -o ConnectTimeout=10"
)
_AUTHORITY: Final = "put the authority that signs the host's certificate into key ca.crt of the Secret"
# What git's own words mean to people: the code, and what to do.
_MEANINGS: Final = (
    ("Host key verification failed", "SS2012", "its key is not the one in key known_hosts of the Secret"),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "SS2012", "its key is not the one in key known_hosts of the Secret"),
    ("SSL certificate problem", "SS2013", _AUTHORITY),
    ("certificate verification failed", "SS2013", _AUTHORITY),
    ("certificate required", "SS2013", "the host wants a client certificate: keys tls.crt and tls.key of the Secret"),
    ("Load key", "SS2010", "ssh cannot read key identity; one with a passphrase needs it in key password"),
    ("could not read Username", "SS2009", "it asks for credentials: name a Secret in spec.secretRef"),
    ("Authentication failed", "SS2009", "the host does not take the credentials of the Secret"),
    ("Permission denied", "SS2009", "the host does not take the credentials of the Secret"),
    ("couldn't find remote ref", "SS2003", "check spec.ref"),
    (f"died of signal {int(signal.SIGXFSZ)}", "SS2017", "more is fetched than a source may have"),
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


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Access:
    """How one call reaches its remote: further environment and settings, and what takes secrets out of its messages."""

    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    redacted: Callable[[str], str] = _as_it_is


_NONE: Final = Access()


def environment(mirror: Path, *, allow_local: bool, access: Access = _NONE) -> dict[str, str]:
    """All that git sees: no user or system configuration, no prompt, https and ssh only (file too if `allow_local`)."""
    settings = {
        **_CONFIG,
        "protocol.file.allow": "always" if allow_local else "never",
        "safe.directory": str(mirror),
        **access.settings,
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
        "GIT_SSH_COMMAND": SSH,
        "GIT_CONFIG_COUNT": str(len(settings)),
        **access.environment,
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
    access: Access = _NONE,
    stdin: bytes = b"",
    seconds: float = limits.GIT_SECONDS,
    file_bytes: int = limits.GIT_OUTPUT_BYTES,
    where: str = "",
) -> bytes:
    """Stdout of `git <arguments>` in `mirror`; no file that it writes, stdout among them, grows over `file_bytes`.

    Raises SourceError with git's own last words, on the deadline, or when a file would be larger.
    """
    finished = child.run(
        [_git(), *arguments],  # values that could be options follow --end-of-options
        cwd=mirror,
        env=environment(mirror, allow_local=allow_local, access=access),
        name=f"git {arguments[0]}",
        stdin=stdin,
        seconds=seconds,
        file_bytes=file_bytes,
        where=where,
    )
    if finished.status:
        said = access.redacted(_USER_INFO.sub(r"\1***@", finished.errors.decode("utf-8", "replace")))
        code, hint = next(((code, hint) for part, code, hint in _MEANINGS if part in said), ("SS2002", ""))
        words = _last_words(said)
        raise SourceError(f"git {arguments[0]} failed: {words}", where=where, hint=hint, code=code)
    return finished.output


def _last_words(said: str) -> str:
    rows = [row.strip() for row in said.splitlines() if row.strip(" @\t")]
    return "; ".join(row.removeprefix("fatal: ") for row in rows[:3]) or "no message"


def _git() -> str:
    found = shutil.which("git")
    if not found:
        raise ToolMissingError("git not found", hint="install git 2.30 or newer")
    return found
