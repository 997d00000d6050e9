"""Owns which authorities and certificates one control plane has, and their files; must not know flags or processes.

Three authorities, as in production: whoever holds a user's certificate is neither trusted by etcd nor as a front proxy
(which may name any user it likes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from setscrew.controlplane.certificates import Authority, KeyPair, signing_key

FRONT_PROXY = "front-proxy-client"
SERVICE_RANGE = "10.96.0.0/16"
_LOOPBACK = ("127.0.0.1", "localhost")
_IN_CLUSTER = (
    "10.96.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Pki:
    """The files of one control plane's keys in `root`, and the authority that signs users."""

    root: Path
    users: Authority

    @classmethod
    def create(cls, root: Path, now: datetime) -> Pki:
        """Make all keys and certificates under `root`, which must exist and be private."""
        users, proxies, stores = (Authority.create(f"setscrew-{name}", now) for name in ("ca", "front-proxy", "etcd"))
        pki = cls(root, users)
        pki._write("ca", users.pair)
        pki._write("apiserver", users.server("kube-apiserver", (*_LOOPBACK, *_IN_CLUSTER), now))
        pki._write("controller-manager", users.server("kube-controller-manager", _LOOPBACK, now))
        pki._write("front-proxy-ca", proxies.pair)
        pki._write("front-proxy", proxies.client(FRONT_PROXY, (), now))
        pki._write("etcd-ca", stores.pair)
        pki._write("etcd", stores.server("etcd", _LOOPBACK, now))
        pki._write("etcd-client", stores.client("kube-apiserver", (), now))
        pki._write("service-accounts", signing_key())
        return pki

    def certificate(self, name: str) -> Path:
        """The certificate file of `name`."""
        return self.root / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key file of `name`."""
        return self.root / f"{name}.key"

    def user(self, name: str, groups: Sequence[str], now: datetime) -> KeyPair:
        """A fresh client certificate of a user."""
        return self.users.client(name, groups, now)

    def keep(self, name: str, pair: KeyPair) -> None:
        """Write a pair beside the others."""
        self._write(name, pair)

    def _write(self, name: str, pair: KeyPair) -> None:
        self.certificate(name).write_bytes(pair.certificate)
        write_private(self.key(name), pair.key)


def write_private(path: Path, content: bytes) -> None:
    """Write `content` so that no other user can read it, not even for a moment."""
    path.touch(mode=0o600)
    path.write_bytes(content)
