"""Owns reading single fields of a source's document: a value, or a UsageError that names the field. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.source.secret import SecretRef

# As definitions in a cluster have them, so both are written for RE2, too.
_PORT: Final = r"0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
REMOTE: Final = re.compile(
    r"(https://|ssh://([^-/@:\x00-\x20\x7f][^/@:\x00-\x20\x7f]*@)?)"
    rf"[A-Za-z0-9._][A-Za-z0-9._-]*(:{_PORT})?/[^\x00-\x20\x7f]*"
)
SECRET_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_URL: Final = re.compile(r"(https|ssh|file)://(?:(?P<user>[^/@]*)@)?(?P<host>[^/@:]*)(?::[0-9]+)?/\S*")
_SCP: Final = re.compile(r"[\w.-]+@[\w.-]+:")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def url(value: Any, where: str) -> str:
    """A repository's address: https, ssh, or (for demo and tests) a path or file URL."""
    if not isinstance(value, str) or not value:
        raise UsageError("must be a URL", where=where)
    if any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in value):
        raise UsageError("must not hold spaces or control characters", where=where)
    if value.startswith("/"):
        return value
    if _SCP.match(value):
        raise UsageError("must be a URL", where=where, hint="write ssh://user@host/path instead of user@host:path")
    match = _URL.fullmatch(value)
    if not match or "::" in value.partition("://")[0]:
        raise UsageError("must begin with https:// or ssh:// and name a host", where=where)
    user, host = match["user"] or "", match["host"]
    if ":" in user or (user and match[1] != "ssh"):
        raise UsageError("must not hold a user or password", where=where, hint="name a Secret in spec.secretRef")
    if match[1] != "file" and (not host or host.startswith("-") or user.startswith("-")):
        raise UsageError("names no valid host", where=where)
    if match[1] != "file" and not REMOTE.fullmatch(value):
        raise UsageError("names no valid host and port", where=where)
    return value


def path(value: Any, where: str) -> str:
    """A path from the root of the repository, "" for the root."""
    if not isinstance(value, str) or "\0" in value:
        raise UsageError("must be a path", where=where)
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if value.startswith("/") or ".." in parts or ".git" in parts:
        raise UsageError("must be relative to the repository's root, without ..", where=where)
    return "/".join(parts)


def seconds(value: Any, where: str) -> int:
    """A duration: whole seconds, or text such as `1h30m`."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    found = (
        sum(int(number or 0) * unit for number, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not found:
        raise UsageError("must be a duration such as 5m or 1h30m", where=where)
    return found


def flag(value: Any, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UsageError("must be true or false", where=where)
    return value


def never(value: Any, where: str, why: str) -> None:
    """A flag that may be written only to say no."""
    if flag(value, where):
        raise UsageError("must be false", where=where, hint=why)


def mapping(value: Any, where: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    """A mapping, with no other keys than the `known` ones where there are any."""
    if not isinstance(value, Mapping):
        raise UsageError("must be a mapping", where=where)
    if known and (unknown := sorted(str(key) for key in value if key not in known)):
        hint = f"known: {', '.join(known)}"
        raise UsageError("is not supported by this version", where=f"{where}.{unknown[0]}", hint=hint)
    return value


def patterns(value: Any, where: str) -> tuple[str, ...]:
    """Patterns as gitignore writes them: a list, or text with one a line."""
    rows = value.splitlines() if isinstance(value, str) else value
    if not isinstance(rows, list) or not all(isinstance(row, str) and "\0" not in row for row in rows):
        raise UsageError("must be a list of patterns, or text with one a line", where=where)
    return tuple(row for row in rows if row.strip() and not row.startswith("#"))


def secret(value: Any, where: str) -> SecretRef:
    """A Secret by name, among our own: a source that could name any namespace could send its Secrets anywhere."""
    name = mapping(value, where, ("name",)).get("name")
    if not isinstance(name, str) or not SECRET_NAME.fullmatch(name):
        raise UsageError("must name a Secret", where=f"{where}.name")
    return SecretRef(name)
