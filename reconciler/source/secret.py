"""Owns naming a Secret and the port by which its keys are read. Must not know where secrets are kept.

Keys as Flux names them: `username` and `password`, `bearerToken`, `identity`, `known_hosts`, `ca.crt` …; the keys of
Argo CD's repository Secrets are mapped to these where they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.errors import SourceError


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A Secret by name. `namespace` "" is our own: a mounted directory, or the namespace that Setscrew runs in."""

    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


Secrets = Callable[[SecretRef], Mapping[str, bytes]]
"""The keys of one Secret. Raises SourceError SS2011 where there is none; never logs or quotes a value."""


def no_secrets(ref: SecretRef) -> Mapping[str, bytes]:
    """Where none are kept."""
    raise SourceError(f"there is no Secret {ref}", hint="no place of secrets is configured", code="SS2011")
