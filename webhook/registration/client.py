"""Owns how the API server reaches the webhook: a URL of this machine, or a Service of the cluster."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit


class Client(Protocol):
    """A way to the webhook."""

    def config(self, path: str, ca_bundle: bytes) -> dict[str, Any]:
        """`clientConfig` for `path`; `ca_bundle` is PEM."""


@dataclass(frozen=True, slots=True)
class UrlClient:
    """`base` is `https://127.0.0.1:8443`: demo and embedded run. The serving certificate needs its host as a name."""

    base: str

    @property
    def names(self) -> tuple[str, ...]:
        """Hosts that the serving certificate must name."""
        return (urlsplit(self.base).hostname or "127.0.0.1", "localhost")

    def config(self, path: str, ca_bundle: bytes) -> dict[str, Any]:
        """See `Client`."""
        return {"url": self.base.rstrip("/") + path, "caBundle": _encoded(ca_bundle)}


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """A Service of the cluster. The serving certificate needs `<name>.<namespace>.svc` as a name."""

    namespace: str
    name: str
    port: int = 443

    @property
    def host(self) -> str:
        """The name by which the API server verifies the serving certificate."""
        return f"{self.name}.{self.namespace}.svc"

    def config(self, path: str, ca_bundle: bytes) -> dict[str, Any]:
        """See `Client`."""
        service = {"namespace": self.namespace, "name": self.name, "path": path, "port": self.port}
        return {"service": service, "caBundle": _encoded(ca_bundle)}


def ca_bundle(configuration: Mapping[str, Any]) -> bytes:
    """The PEM that all entries of a registration carry; nothing where it has no entries."""
    entries = configuration.get("webhooks") or []
    return base64.b64decode(entries[0]["clientConfig"]["caBundle"]) if entries else b""


def _encoded(ca_bundle: bytes) -> str:
    return base64.b64encode(ca_bundle).decode("ascii")
