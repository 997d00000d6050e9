"""Owns `Receiver` documents and the minimum of a secret: mappings in, values out. Pure; must not read the secret.

kind: Receiver
metadata: {name: github}
spec: {provider: github, secretFile: /etc/setscrew/hook, sources: [shop]}     # or secretEnv: NAME
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import PUSH_SECRET_BYTES

PROVIDERS: Final = ("github",)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SPEC: Final = ("provider", "secretFile", "secretEnv", "sources")


@dataclass(frozen=True, slots=True)
class ReceiverSpec:
    """One receiver as configured. Exactly one of `secret_file` and `secret_env` is set; `sources` may be ("*",)."""

    name: str
    provider: str
    sources: tuple[str, ...]
    secret_file: str = ""
    secret_env: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver with its secrets, current first. Never printed: the secrets are left out of the representation."""

    name: str
    provider: str
    sources: tuple[str, ...]
    secrets: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Receiver({self.name!r}, {self.provider!r}, {self.sources!r})"

    def watches(self, source: str) -> bool:
        """True when a push to this receiver may refresh `source`."""
        return source in self.sources or "*" in self.sources


def parse_receivers(documents: Iterable[Any]) -> tuple[ReceiverSpec, ...]:
    """All Receivers among `documents` (other kinds are passed over). Raises UsageError at the first wrong one."""
    found: dict[str, ReceiverSpec] = {}
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "Receiver":
            spec = parse_receiver(document)
            if spec.name in found:
                raise UsageError("there are two receivers of this name", where=_where(spec.name))
            found[spec.name] = spec
    return tuple(found.values())


def parse_receiver(document: Mapping[str, Any]) -> ReceiverSpec:
    """One Receiver. Raises UsageError that says which field is wrong and what it may be."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("metadata.name must be lower-case letters, digits and dashes", where="Receiver")
    where = _where(name)
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        raise UsageError("spec is missing", where=where, hint="provider, sources, and secretFile or secretEnv")
    unknown = sorted(str(key) for key in spec if key not in _SPEC)
    if unknown:
        raise UsageError(f"spec.{unknown[0]} is not known", where=where, hint="known: " + ", ".join(_SPEC))
    provider = spec.get("provider")
    if provider not in PROVIDERS:
        raise UsageError(f"spec.provider must be one of {', '.join(PROVIDERS)}", where=where)
    file, variable = _secret_place(spec, where)
    return ReceiverSpec(name, provider, _sources(spec.get("sources"), where), file, variable)


def checked_secret(secret: bytes, name: str) -> bytes:
    """The secret without a line end that an editor left. Raises UsageError if it is shorter than 16 bytes."""
    secret = secret.removesuffix(b"\n").removesuffix(b"\r")
    if len(secret) < PUSH_SECRET_BYTES:
        raise UsageError(
            f"the secret has {len(secret)} bytes, at least {PUSH_SECRET_BYTES} are needed",
            where=_where(name),
            hint="make one with: openssl rand -hex 32",
        )
    return secret


def _secret_place(spec: Mapping[str, Any], where: str) -> tuple[str, str]:
    file, variable = spec.get("secretFile", ""), spec.get("secretEnv", "")
    if not isinstance(file, str) or not isinstance(variable, str) or bool(file) == bool(variable):
        raise UsageError("exactly one of spec.secretFile and spec.secretEnv must be given", where=where)
    return file, variable


def _sources(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise UsageError("spec.sources must be a list of source names", where=where, hint='["*"] means all sources')
    return tuple(value)


def _where(name: str) -> str:
    return f"Receiver/{name}"
