"""Owns `GitHost` documents: hosts whose pages the report links to beside the public ones. Must not ask a host.

kind: GitHost
metadata: {name: git.example.com}     # as it stands in the URLs of sources
spec: {provider: gitlab}              # and web: https://pages.example.com/git where its pages are elsewhere
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.errors import UsageError
from reconciler.report.links import PROVIDERS, GitHost, is_host
from setscrew.receivers import documents_in

SPEC: Final = ("provider", "web")


def load_git_hosts(path: Path | None) -> dict[str, GitHost]:
    """The hosts of a YAML file or all YAML files in a directory, by name. Raises UsageError."""
    return parse_git_hosts(documents_in(path))


def parse_git_hosts(documents: Iterable[Any]) -> dict[str, GitHost]:
    """All GitHosts among `documents` (other kinds are passed over). Raises UsageError at the first wrong one."""
    found: dict[str, GitHost] = {}
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "GitHost":
            name, host = _git_host(document)
            if name in found:
                raise UsageError("there are two Git hosts of this name", where=f"GitHost/{name}")
            found[name] = host
    return found


def _git_host(document: Mapping[str, Any]) -> tuple[str, GitHost]:
    metadata, spec = document.get("metadata"), document.get("spec")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not is_host(name):
        hint = "such as git.example.com, without a port"
        raise UsageError("metadata.name must be the name of a host in lower case", where="GitHost", hint=hint)
    where = f"GitHost/{name}"
    if not isinstance(spec, Mapping):
        raise UsageError("spec is missing", where=where, hint="provider, and web where the pages are elsewhere")
    if unknown := sorted(str(key) for key in spec if key not in SPEC):
        raise UsageError(f"spec.{unknown[0]} is not known", where=where, hint="known: " + ", ".join(SPEC))
    provider = next((one for one in PROVIDERS if one == spec.get("provider")), None)
    if provider is None:
        raise UsageError("spec.provider must be one that is known", where=where, hint=", ".join(PROVIDERS))
    return name, GitHost(provider, _web(spec.get("web", f"https://{name}"), where))


def _web(given: object, where: str) -> str:
    """Where its pages begin: https alone, and nothing beside host and path. Raises UsageError."""
    try:
        parts = urlsplit(given) if isinstance(given, str) and given.isascii() and given.isprintable() else None
        port = f":{parts.port}" if parts is not None and parts.port else ""
    except ValueError:
        parts, port = None, ""
    if parts is None or parts.scheme != "https" or not is_host(parts.hostname or "") or parts.query or parts.fragment:
        raise UsageError("spec.web must be an https URL", where=where, hint="such as https://git.example.com")
    if parts.username or parts.password or set(' "<>\\') & set(parts.path):
        raise UsageError("spec.web must be a host and a path alone", where=where, hint="without a user or a password")
    return f"https://{parts.hostname}{port}{parts.path.rstrip('/')}"
