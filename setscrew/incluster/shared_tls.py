"""Owns the certificate files of all replicas: one Secret, written by the leader, mirrored by the others.

Must not make a certificate: `webhook.tls.files` does, in the leader's state directory. What a leader has changed stands
in the Secret before anybody relies on it, so whoever leads next goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import encoded, read_keys
from reconciler.errors import ApiError, StoreError
from reconciler.model.own import NAMESPACE, TLS_SECRET
from setscrew.incluster.keys import shared
from webhook.tls import disk
from webhook.tls.disk import PUBLIC, SECRET, Content
from webhook.tls.files import BUNDLE, NAMES

COLLECTION: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets"
# What is trusted comes before what is signed by it, and a key before its certificate.
_ORDER: Final = (BUNDLE, "ca.key", "ca.crt", "next-ca.key", "next-ca.crt", "tls.key", "tls.crt")
# The keys of authorities are for whoever leads.
_SERVED: Final = (BUNDLE, "tls.key", "tls.crt")
_Stamp = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class SharedTls:
    """`directory` holds the files of this replica. All methods raise ClusterError and StoreError."""

    client: ApiClient
    directory: Path
    _shared: _Stamp | None = None

    def adopt(self) -> None:
        """For a new leader: go on from what the last one has shared; without that, from what lies here."""
        found = read_keys(self.client, "Secret", NAMESPACE, TLS_SECRET)
        if found:
            self._write(found, _ORDER)
            self._shared = self._stamp()

    def share(self, bundle: bytes) -> bytes:
        """For the leader: give the others what has changed here since; all replicas serve with that."""
        stamp = self._stamp()
        if stamp != self._shared:
            self._share()
            self._shared = stamp
        return bundle

    def registered(self, bundle: bytes) -> None:
        """What that changes here is shared at the next look."""

    def _share(self) -> None:
        held = {name: self._read(name) for name in NAMES}
        data: dict[str, Any] = {name: encoded(one) if one else None for name, one in held.items()}
        try:
            merge = "application/merge-patch+json"
            self.client.request("PATCH", f"{COLLECTION}/{TLS_SECRET}", {"data": data}, content_type=merge)
        except ApiError as error:
            if error.status != 404:
                raise
            body = shared("Secret", TLS_SECRET, {name: one for name, one in held.items() if one})
            self.client.request("POST", COLLECTION, body)

    def mirror(self) -> bool:
        """For a follower: serve with what the leader has shared; False while there is nothing."""
        found = read_keys(self.client, "Secret", NAMESPACE, TLS_SECRET)
        if not found or not all(found.get(name) for name in _SERVED):
            return False
        self._write(found, _SERVED)
        return True

    def _write(self, found: Mapping[str, bytes], names: Iterable[str]) -> None:
        changed = {
            self.directory / name: Content(found[name], SECRET if name.endswith(".key") else PUBLIC)
            for name in names
            if found.get(name) and found[name] != self._read(name)
        }
        try:
            with disk.alone(self.directory):
                disk.write(changed)
                for name in names:
                    if not found.get(name):
                        (self.directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._unkept(error) from None

    def _read(self, name: str) -> bytes:
        try:
            return disk.read(self.directory / name)
        except OSError as error:
            raise self._unkept(error) from None

    def _stamp(self) -> _Stamp:
        return tuple(_stat(self.directory / name) for name in NAMES)

    def _unkept(self, error: OSError) -> StoreError:
        hint = "check the owner and the space of the disk"
        why = error.strerror or str(error)
        return StoreError(f"certificates cannot be kept: {why}", where=str(self.directory), hint=hint, code="SS6005")


def _stat(path: Path) -> tuple[int, int]:
    try:
        seen = path.stat()
    except OSError:
        return (0, 0)
    return (seen.st_mtime_ns, seen.st_ino)
