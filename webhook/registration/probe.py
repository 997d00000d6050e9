"""Owns the question whether the admission server answers where the API server would call it. Must not register."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from urllib.parse import urlsplit


def probe(url: str, ca_bundle: bytes, seconds: float) -> str:
    """Why the server at `url` does not answer /readyz with 200 over TLS that `ca_bundle` (PEM) vouches for; "" if so.

    Each step may take `seconds`. Never raises.
    """
    place = urlsplit(url)
    try:
        context = ssl.create_default_context(cadata=ca_bundle.decode("ascii"))
        connection = http.client.HTTPSConnection(place.netloc, context=context, timeout=seconds)
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
