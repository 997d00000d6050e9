"""Owns which hosts a source may name, and the addresses that were looked at when that was decided. Must not connect.

A repository's URL comes from whoever may write sources, who are not always those who run Setscrew: with it they could
make this process ask what only this machine can reach.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.errors import SourceError

_PORTS = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True, slots=True)
class Place:
    """A host and port, and the addresses that it had when it was looked at: these are connected to, no others.

    Without addresses whoever connects looks them up: a proxy.
    """

    host: str
    port: int
    addresses: tuple[str, ...] = ()

    @property
    def bracketed(self) -> str:
        """The host as URLs have it."""
        return f"[{self.host}]" if ":" in self.host else self.host


def place_of(url: str, where: str, *, allow_private: bool = False, proxied: bool = False) -> Place:
    """Where `url` leads to. Raises SourceError: no such host, or one that is this machine or its metadata service.

    Behind a proxy a name that cannot be resolved here is left to the proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 0)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if proxied:
            return Place(host, port)
        hint = "check spec.url and this machine's DNS"
        raise SourceError(f"cannot resolve host {host}", where=where, hint=hint, code="SS2004") from error
    addresses = tuple(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
    if not allow_private and any(map(_is_ours, addresses)):
        message = f"host {host} is this machine or its metadata service"
        raise SourceError(message, where=where, hint="set allowPrivateHosts where that is meant", code="SS2005")
    return Place(host, port, () if proxied else addresses)


def _is_ours(address: str) -> bool:
    number = ipaddress.ip_address(address)
    if isinstance(number, ipaddress.IPv6Address):
        number = number.ipv4_mapped or number
    return number.is_loopback or number.is_link_local or number.is_unspecified or number.is_multicast
