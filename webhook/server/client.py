"""Owns the question which clients may ask for reviews: those that show a certificate with a pinned name, if any need.

Must not verify certificates: the TLS context does, with the authority of `--client-ca`. Health checks need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

UNKNOWN_CLIENT: Final = "SS5007"
NO_CERTIFICATE: Final = "this path needs a client certificate"
WRONG_NAME: Final = "the client certificate names nobody who may ask"
_SAN: Final = "subjectAltName"


class Peer(Protocol):
    """`ssl.SSLObject` or `ssl.SSLSocket`."""

    def getpeercert(self) -> Mapping[str, Any] | None:
        """What the verified certificate of the client says; empty or None where it has shown none."""


def refusal(peer: Peer | None, names: Sequence[str]) -> str:
    """Why this client may not ask for reviews; "" if it may. It holds for all of a connection: ask once.

    `names` are compared whole with the common name and every alternative name. Without any, everybody may ask.
    """
    if not names:
        return ""
    certificate = peer.getpeercert() if peer is not None else None
    if not certificate:
        return NO_CERTIFICATE
    return "" if set(names).intersection(_names(certificate)) else WRONG_NAME


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        yield from (value for kind, value in part if kind == "commonName")
    yield from (value for _, value in certificate.get(_SAN, ()))
