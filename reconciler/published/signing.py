"""Owns what a signature of a manifest covers. Must not keep a key, nor read what is signed."""

from __future__ import annotations

from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature

from reconciler.errors import StoreError

FORGED: Final = "SS6101"
# Whatever else the key may sign one day is no manifest.
_DOMAIN: Final = b"setscrew.dev/published-snapshot\n"


class Signs(Protocol):
    """An Ed25519 private key of `cryptography`."""

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes."""

    def public_key(self) -> Verifies:
        """Its public half."""


class Verifies(Protocol):
    """An Ed25519 public key of `cryptography`."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises InvalidSignature."""

    def public_bytes_raw(self) -> bytes:
        """32 bytes."""


def sign(key: Signs, data: bytes) -> bytes:
    """The signature of a manifest."""
    return key.sign(_DOMAIN + data)


def verify(key: Verifies, signature: bytes, data: bytes) -> None:
    """Raises StoreError (SS6101) unless the holder of the private key has signed this manifest."""
    try:
        key.verify(signature, _DOMAIN + data)
    except InvalidSignature:
        raise StoreError(
            "the manifest of what is published is not signed by this installation, so the last good snapshot holds",
            hint="somebody may have written it by hand; the leader writes it anew with the next snapshot",
            code=FORGED,
        ) from None
