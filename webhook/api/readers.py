"""Owns `Reader` documents: a further token, for the report of some namespaces. Pure; must not read the token.

kind: Reader
metadata: {name: team-shop}
spec: {tokenFile: /etc/setscrew/team-shop, namespaces: [shop, shop-stage]}     # or tokenEnv: NAME
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import PUSH_SECRET_BYTES
from webhook.api.configuration import SecretPlace

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SPEC: Final = ("tokenFile", "tokenEnv", "namespaces")


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """One reader as configured: where its token stands, and the namespaces that it may see."""

    name: str
    token: SecretPlace
    namespaces: frozenset[str]


def parse_readers(documents: Iterable[Any]) -> tuple[ReaderSpec, ...]:
    """All Readers among `documents` (other kinds are passed over). Raises UsageError at the first wrong one."""
    found: dict[str, ReaderSpec] = {}
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "Reader":
            spec = _reader(document)
            if spec.name in found:
                raise UsageError("there are two readers of this name", where=where_of(spec.name))
            found[spec.name] = spec
    return tuple(found.values())


def checked_token(token: bytes, name: str) -> bytes:
    """The token without the line end of an editor. Raises UsageError where it can be guessed or not be sent."""
    token = token.strip()
    if len(token) < PUSH_SECRET_BYTES or not token.isascii() or b" " in token:
        message = f"the token must be {PUSH_SECRET_BYTES} or more plain characters"
        raise UsageError(message, where=where_of(name), hint="make one with: openssl rand -hex 32")
    return token


def where_of(name: str) -> str:
    """The place that an error names."""
    return f"Reader/{name}"


def _reader(document: Mapping[str, Any]) -> ReaderSpec:
    metadata, spec = document.get("metadata"), document.get("spec")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("metadata.name must be lower-case letters, digits and dashes", where="Reader")
    where = where_of(name)
    if not isinstance(spec, Mapping):
        raise UsageError("spec is missing", where=where, hint="namespaces, and tokenFile or tokenEnv")
    if unknown := sorted(str(key) for key in spec if key not in SPEC):
        raise UsageError(f"spec.{unknown[0]} is not known", where=where, hint="known: " + ", ".join(SPEC))
    file, variable, listed = spec.get("tokenFile", ""), spec.get("tokenEnv", ""), spec.get("namespaces")
    if not isinstance(file, str) or not isinstance(variable, str) or bool(file) == bool(variable):
        raise UsageError("exactly one of spec.tokenFile and spec.tokenEnv must be given", where=where)
    if (
        not isinstance(listed, list)
        or not listed
        or not all(isinstance(one, str) and _NAME.fullmatch(one) for one in listed)
    ):
        raise UsageError("spec.namespaces must be a list of namespaces", where=where)
    return ReaderSpec(name, SecretPlace(file, variable), frozenset(listed))
