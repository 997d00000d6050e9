"""Owns the keys that all replicas of an installation share: of Secret values, and of published snapshots.

Made by the first that leads, kept as Secrets of our namespace; the key of Secret values is mirrored to the state
directory. Must not log or quote one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import document, read_keys
from reconciler.errors import ApiError, ClusterError, StoreError
from reconciler.model.own import NAMESPACE, PRIVATE_FILE, PUBLIC_FILE, SIGNING, VALUES_FILE, VALUES_SECRET
from setscrew.statedir import KEY_BYTES, KEY_FILE
from webhook.tls import disk, signing
from webhook.tls.signing import PrivateKey, PublicKey

_CORE: Final = f"/api/v1/namespaces/{NAMESPACE}"
_LABELS: Final = {"app.kubernetes.io/name": "setscrew", "app.kubernetes.io/managed-by": "setscrew"}
UNUSABLE: Final = "SS4013"


@dataclass(slots=True)
class Keys:
    """`client` is the replica's own; `state_dir` is where the admission server finds the key of Secret values."""

    client: ApiClient
    state_dir: Path

    def led(self) -> PrivateKey:
        """For a leader: all keys made that are missing, mirrored; the signing key. Raises ClusterError, StoreError."""
        values = _made(self.client, "Secret", VALUES_SECRET, lambda: {VALUES_FILE: secrets.token_bytes(KEY_BYTES)})
        self._mirror(values)
        found = _made(self.client, "Secret", SIGNING, lambda: {PRIVATE_FILE: signing.new_key()})
        private = signing.private_key(found.get(PRIVATE_FILE, b""))
        if private is None:
            raise _unusable("Secret", SIGNING)
        public = {PUBLIC_FILE: signing.public_pem(private)}
        if _made(self.client, "ConfigMap", SIGNING, lambda: public).get(PUBLIC_FILE) != public[PUBLIC_FILE]:
            _replace(self.client, "ConfigMap", SIGNING, public)
        return private

    def followed(self) -> PublicKey | None:
        """For a follower: what there is, mirrored; the key that snapshots are signed with, None while something lacks.

        Raises ClusterError, StoreError.
        """
        values = read_keys(self.client, "Secret", NAMESPACE, VALUES_SECRET)
        public = read_keys(self.client, "ConfigMap", NAMESPACE, SIGNING)
        if values is None or public is None:
            return None
        self._mirror(values)
        key = signing.public_key(public.get(PUBLIC_FILE, b""))
        if key is None:
            raise _unusable("ConfigMap", SIGNING)
        return key

    def _mirror(self, values: Mapping[str, bytes]) -> None:
        key, path = values.get(VALUES_FILE, b""), self.state_dir / KEY_FILE
        if len(key) != KEY_BYTES:
            raise _unusable("Secret", VALUES_SECRET)
        try:
            if disk.read(path) != key:
                disk.write({path: disk.Content(key, disk.SECRET)})
        except OSError as error:
            raise StoreError(f"the key of Secret values cannot be kept: {error.strerror}", where=str(path)) from None


def _made(
    client: ApiClient, kind: Literal["Secret", "ConfigMap"], name: str, make: Callable[[], Mapping[str, bytes]]
) -> Mapping[str, bytes]:
    """What is there, or was made just now, by us or by who was faster."""
    found = read_keys(client, kind, NAMESPACE, name)
    if found is not None:
        return found
    made = make()
    try:
        client.request("POST", f"{_CORE}/{_plural(kind)}", shared(kind, name, made))
    except ApiError as error:
        if error.status != 409:
            raise
        return read_keys(client, kind, NAMESPACE, name) or {}
    return made


def _replace(client: ApiClient, kind: Literal["Secret", "ConfigMap"], name: str, data: Mapping[str, bytes]) -> None:
    body = {"data": shared(kind, name, data)["data"]}
    client.request("PATCH", f"{_CORE}/{_plural(kind)}/{name}", body, content_type="application/merge-patch+json")


def shared(kind: Literal["Secret", "ConfigMap"], name: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    """A Secret, or a ConfigMap of texts, that all replicas share."""
    found = document(kind, NAMESPACE, name, data)
    found["metadata"]["labels"] = dict(_LABELS)
    return found


def _plural(kind: str) -> str:
    return f"{kind.lower()}s"


def _unusable(kind: str, name: str) -> ClusterError:
    hint = "remove it and end the leader's pod: the next leader makes it anew"
    return ClusterError("the key in it cannot be used", where=f"{kind} {NAMESPACE}/{name}", hint=hint, code=UNUSABLE)
