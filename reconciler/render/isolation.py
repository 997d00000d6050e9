"""Owns what of the kernel's namespaces a render child gets: no network, where the machine lets a program have that.

Without a network namespace the other walls stand alone: the scanner, tools without a way out, the cluster's policy.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import Final

from reconciler import limits

_SECONDS: Final = 10
# As the same user in a namespace of its own, so that no right is needed and none is gained.
_UNSHARE: Final = ("--user", "--map-current-user", "--net", "--")


def prefix() -> tuple[str, ...]:
    """What to put before a command so that it has no network and few processes; empty where that cannot be had.

    The kernel counts processes by user and by namespace of users, so a bound on them is safe to set only in one of
    its own: outside, those of this process would count. It does not hold root.
    """
    return _tried()[0]


def missing() -> str:
    """Why there is no such prefix on this machine, or ""."""
    return _tried()[1]


@cache
def _tried() -> tuple[tuple[str, ...], str]:
    unshare, prlimit = shutil.which("unshare"), shutil.which("prlimit")
    if unshare is None or prlimit is None:
        return (), "unshare and prlimit of util-linux are not there"
    found = (unshare, *_UNSHARE, prlimit, f"--nproc={limits.RENDER_PROCESSES}", "--")
    try:
        # prlimit as the program: what a tool needs to start must be there too.
        done = subprocess.run(  # noqa: S603  argument list, no shell
            [*found, prlimit, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), str(error)
    return ((), done.stderr.decode("utf-8", "replace").strip() or "unshare failed") if done.returncode else (found, "")
