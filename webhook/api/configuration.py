"""Owns `Receiver` documents: mappings in, values out. Pure; must not read a secret.

kind: Receiver
metadata: {name: github}
spec: {provider: github, secretFile: /etc/setscrew/hook, sources: [shop]}     # or secretEnv: NAME

While a secret is being changed, `secrets` in place of `secretFile`: the current one first, others with their end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import MIB, PUSH_BODY_BYTES, PUSH_BODY_BYTES_MOST, PUSH_SECRET_BYTES
from webhook.api.providers import PROVIDERS
from webhook.api.providers.proof import signing_key

EVENTS: Final = ("push", "tag", "delete", "ping")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SPEC: Final = ("provider", "secretFile", "secretEnv", "secrets", "sources", "events", "bodyMiB")
_SECRET: Final = ("secretFile", "secretEnv", "notAfter")
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where one secret stands: exactly one of `file` and `env` is set. It counts until `not_after`."""

    file: str = ""
    env: str = ""
    not_after: datetime = _FOREVER


@dataclass(frozen=True, slots=True)
class ReceiverSpec:
    """One receiver as configured. `secrets`: the current one first; `sources` may be ("*",)."""

    name: str
    provider: str
    sources: tuple[str, ...]
    secrets: tuple[SecretPlace, ...]
    events: tuple[str, ...] = EVENTS
    body_bytes: int = PUSH_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that counts until `not_after`. Never printed."""

    value: bytes
    not_after: datetime = _FOREVER

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver with its secrets, current first."""

    name: str
    provider: str
    sources: tuple[str, ...]
    secrets: tuple[Secret, ...]
    events: tuple[str, ...] = EVENTS

    def watches(self, source: str) -> bool:
        """True when a push to this receiver may refresh `source`."""
        return source in self.sources or "*" in self.sources

    def valid(self, now: datetime) -> tuple[bytes, ...]:
        """The secrets that count now."""
        return tuple(secret.value for secret in self.secrets if now <= secret.not_after)


Receivers = Callable[[], Mapping[str, Receiver]]
"""All receivers by name, with their secrets of now. Never raises."""


def parse_receivers(documents: Iterable[Any]) -> tuple[ReceiverSpec, ...]:
    """All Receivers among `documents` (other kinds are passed over). Raises UsageError at the first wrong one."""
    found: dict[str, ReceiverSpec] = {}
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "Receiver":
            spec = parse_receiver(document)
            if spec.name in found:
                raise UsageError("there are two receivers of this name", where=where_of(spec.name))
            found[spec.name] = spec
    return tuple(found.values())


def parse_receiver(document: Mapping[str, Any]) -> ReceiverSpec:
    """One Receiver. Raises UsageError that says which field is wrong and what it may be."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("metadata.name must be lower-case letters, digits and dashes", where="Receiver")
    where = where_of(name)
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        raise UsageError("spec is missing", where=where, hint="provider, sources, and secretFile or secretEnv")
    _known(spec, _SPEC, "spec", where)
    provider = spec.get("provider")
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise UsageError(f"spec.provider must be one of {', '.join(PROVIDERS)}", where=where)
    sources, events = _sources(spec.get("sources"), where), _events(spec.get("events", list(EVENTS)), where)
    return ReceiverSpec(name, provider, sources, _secrets(spec, where), events, _body_bytes(spec.get("bodyMiB"), where))


def checked_secret(secret: bytes, name: str, provider: str) -> bytes:
    """The secret without a line end that an editor left. Raises UsageError if it is too short or damaged."""
    secret = plain_secret(secret)
    if problem := secret_problem(secret, provider):
        raise UsageError(problem, where=where_of(name), hint="make one with: openssl rand -hex 32")
    return secret


def plain_secret(secret: bytes) -> bytes:
    """The secret without a line end that an editor left."""
    return secret.removesuffix(b"\n").removesuffix(b"\r")


def secret_problem(secret: bytes, provider: str) -> str:
    """What makes a secret too weak or unusable, or ""."""
    key = signing_key(secret) if provider == "gitlab" else None
    if key == b"":
        return "the signing token is not whsec_ and base64"
    length = len(secret if key is None else key)
    if length < PUSH_SECRET_BYTES:
        return f"the secret has {length} bytes, at least {PUSH_SECRET_BYTES} are needed"
    if provider == "azure-devops" and b":" not in secret:
        return "the secret of azure-devops must be user:password"
    return ""


def where_of(name: str) -> str:
    """The place that an error names."""
    return f"Receiver/{name}"


def _known(given: Mapping[str, Any], names: tuple[str, ...], place: str, where: str) -> None:
    unknown = sorted(str(key) for key in given if key not in names)
    if unknown:
        raise UsageError(f"{place}.{unknown[0]} is not known", where=where, hint="known: " + ", ".join(names))


def _secrets(spec: Mapping[str, Any], where: str) -> tuple[SecretPlace, ...]:
    if "secrets" not in spec:
        return (_secret_place(spec, "spec", where),)
    listed = spec["secrets"]
    if "secretFile" in spec or "secretEnv" in spec:
        raise UsageError("spec.secrets goes without spec.secretFile and spec.secretEnv", where=where)
    if not isinstance(listed, list) or not listed or not all(isinstance(one, Mapping) for one in listed):
        raise UsageError("spec.secrets must be a list of mappings", where=where, hint="known: " + ", ".join(_SECRET))
    for number, one in enumerate(listed):
        _known(one, _SECRET, f"spec.secrets[{number}]", where)
        if bool(number) != ("notAfter" in one):
            message = "spec.secrets: the first is the current one, all others end at their notAfter"
            raise UsageError(message, where=where, hint="such as 2027-01-31T22:30:00Z")
    return tuple(_secret_place(one, f"spec.secrets[{number}]", where) for number, one in enumerate(listed))


def _secret_place(given: Mapping[str, Any], place: str, where: str) -> SecretPlace:
    file, variable = given.get("secretFile", ""), given.get("secretEnv", "")
    if not isinstance(file, str) or not isinstance(variable, str) or bool(file) == bool(variable):
        raise UsageError(f"exactly one of {place}.secretFile and {place}.secretEnv must be given", where=where)
    return SecretPlace(file, variable, _instant(given.get("notAfter", _FOREVER), place, where))


def _instant(value: Any, place: str, where: str) -> datetime:
    """RFC 3339, which YAML reads as its own type where nobody quotes it."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.tzinfo is None:
        hint = "such as 2027-01-31T22:30:00Z"
        raise UsageError(f"{place}.notAfter is no time with its offset", where=where, hint=hint)
    return time


def _sources(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise UsageError("spec.sources must be a list of source names", where=where, hint='["*"] means all sources')
    return tuple(value)


def _events(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(item in EVENTS for item in value):
        raise UsageError("spec.events must be a list", where=where, hint="known: " + ", ".join(EVENTS))
    return tuple(value)


def _body_bytes(value: Any, where: str) -> int:
    most = PUSH_BODY_BYTES_MOST // MIB
    if value is None:
        return PUSH_BODY_BYTES
    if type(value) is not int or not 1 <= value <= most:
        raise UsageError(f"spec.bodyMiB must be a whole number from 1 to {most}", where=where)
    return value * MIB
