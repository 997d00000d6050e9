"""Owns asking the admission server as a client would: whether it answers, what it shows, who vouches for that."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from reconciler.errors import UsageError
from setscrew.doctor.facts import Server
from webhook.tls.authority import read_bundle, validity
from webhook.tls.lifetime import Validity, usable

_SECONDS: Final = 5.0
# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_TIMES: Final = frozenset({9, 10})


def look_server(url: str) -> Server:
    """What the server at `url` says to GET /readyz. Raises UsageError for a URL that cannot be asked from here."""
    place = urlsplit(url)
    context = ssl.create_default_context()
    # Who vouches for it is a question of its own.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with closing(http.client.HTTPSConnection(place.netloc, context=context, timeout=_SECONDS)) as connection:
            connection.connect()
            leaf = _shown(connection)
            connection.request("GET", "/readyz")
            return Server(url, connection.getresponse().status, leaf=leaf)
    except socket.gaierror as error:
        if (place.hostname or "").endswith(".svc"):
            hint = "run it in a pod, or give --url"
            raise UsageError("this Service is known inside the cluster only", where=url, hint=hint) from error
        return Server(url, error=str(error.strerror))
    except TimeoutError:
        return Server(url, error="no answer in time")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Server(url, error=str(getattr(error, "strerror", None) or type(error).__name__))


def look_trust(server: Server, bundles: Iterable[str], now: datetime) -> Mapping[str, str]:
    """By caBundle (base64) why it does not vouch for what `server` shows, "" if it does. Raises OSError."""
    return {bundle: _distrust(server, bundle, now) for bundle in bundles}


def _distrust(server: Server, bundle: str, now: datetime) -> str:
    """Names are left to the check of the certificate, and so is a certificate that has ended itself."""
    try:
        context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode("ascii"))
    except (ssl.SSLError, ValueError):
        return "it holds no certificate that can be read"
    context.check_hostname = False
    try:
        with closing(
            http.client.HTTPSConnection(urlsplit(server.url).netloc, context=context, timeout=_SECONDS)
        ) as connection:
            connection.connect()
    except ssl.SSLCertVerificationError as error:
        return "" if error.verify_code in _TIMES and not usable(server.leaf, now) else str(error.verify_message)
    return ""


def _shown(connection: http.client.HTTPSConnection) -> Validity | None:
    found = connection.sock.getpeercert(binary_form=True)
    chain = read_bundle(ssl.DER_cert_to_PEM_cert(found).encode()) if found else []
    return validity(chain[0]) if chain else None
