"""Owns the comparison of repository URLs and refs: is this push about that source? Pure. Must not fetch."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
# Hosts that some providers use for SSH over other ports; the repository is the same.
_SSH_PREFIXES: Final = ("ssh.", "altssh.")
# Azure DevOps: `v3/organisation/project/repository` over SSH is `organisation/project/_git/repository` over HTTPS.
_AZURE: Final = "dev.azure.com"
_AZURE_SSH: Final = re.compile(r"v3/([^/]+/[^/]+)/([^/]+)")
# `user@host:path`, as git takes it: no scheme, and no slash before the colon.
_SCP: Final = re.compile(r"(?:[^/@:]+@)?(\[[^\]]+\]|[^/:@]+):(?!//)(.*)")


def normal_url(url: str) -> str:
    """`host[:port]/path`, or "" for what is no repository URL. Lower-cases the host, keeps the case of the path.

    Scheme, user, default port, `ssh.` prefix, trailing slash and `.git` do not tell two repositories apart.
    """
    try:
        host, port, path = _split(url.strip())
    except ValueError:
        return ""
    for prefix in _SSH_PREFIXES:
        host = host.removeprefix(prefix)
    path = path.strip("/").removesuffix(".git").rstrip("/")
    if host == _AZURE:
        path = _AZURE_SSH.sub(r"\1/_git/\2", path)
    return f"{host}{port}/{path}" if path else ""


def _split(url: str) -> tuple[str, str, str]:
    if "://" in url:
        parts = urlsplit(url)
        usual = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
        return (parts.hostname or ""), ("" if usual else f":{parts.port}"), parts.path
    scp = _SCP.fullmatch(url)
    return (scp[1].lower(), "", scp[2]) if scp else ("", "", url)


def ref_matches(watched: str, pushed: str) -> bool:
    """Full names only: `refs/heads/x` is not `refs/tags/x`. A watched ref may end in `*`; "" watches all, `x` both.

    HEAD, the remote's default branch, may be any branch: a push does not say which, and is a hint only.
    """
    if watched == "HEAD":
        return pushed.startswith("refs/heads/")
    if watched.endswith("*"):
        return pushed.startswith(watched[:-1])
    short = not watched.startswith("refs/") and pushed in (f"refs/heads/{watched}", f"refs/tags/{watched}")
    return watched in ("", pushed) or short
