"""Owns the question whether the admission server answers where the API server would call it. Must not register."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing
from urllib.parse import urlsplit


class _At(http.client.HTTPSConnection):
    """A connection to `address` that verifies the certificate for `host`, as the API server's to a Service."""

    def __init__(self, address: str, host: str, port: int, context: ssl.SSLContext, seconds: float) -> None:
        super().__init__(host, port, context=context, timeout=seconds)
        self._address, self._tls = address, context

    def connect(self) -> None:
        """Connect there."""
        # Kept before the handshake, so that `close` ends it where that fails.
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def probe(url: str, ca_bundle: bytes, seconds: float, address: str = "") -> str:
    """Why the server at `url` does not answer /readyz with 200 over TLS that `ca_bundle` (PEM) vouches for; "" if so.

    It is called at `address`, if one is given. Each step may take `seconds`. Never raises.
    """
    place = urlsplit(url)
    try:
        context = ssl.create_default_context(cadata=ca_bundle.decode("ascii"))
        host, port = place.hostname or "", place.port or 443
        connection = _At(address or host, host, port, context, seconds)
        with closing(connection):
            connection.request("GET", "/readyz")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"the admission server at {place.netloc} does not answer: {_why(error)}"
    return "" if status == 200 else f"the admission server at {place.netloc} is not ready (HTTP {status})"


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or type(error).__name__)
