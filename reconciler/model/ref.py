"""Owns the identity of objects: group, kind, namespace, name. Must not know what an object holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class ObjectRef(NamedTuple):
    """One object of one cluster, in any version; `namespace` is "" for cluster-scoped kinds."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Deployment.apps shop/web`, as people read it."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"

    @property
    def short(self) -> str:
        """`deployment/web`, as kubectl takes it."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What discovery says of one kind in one version."""

    group: str
    version: str
    kind: str
    resource: str
    namespaced: bool
    subresources: tuple[str, ...] = ()
    replicas_path: str = ""

    @property
    def name(self) -> str:
        """`apps/Deployment`, or `Pod` for the core group: as policies name kinds."""
        return f"{self.group}/{self.kind}" if self.group else self.kind

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` → ("apps", "v1"); `v1` → ("", "v1")."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)
