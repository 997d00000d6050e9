"""Owns the question whether a started part of `setscrew run` works: it answers where it listens. Must not start it."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from typing import Final

_ANSWER_SECONDS: Final = 0.5
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound


def answers(host: str, port: int, *, tls: bool) -> bool:
    """True if a server of this machine says there that it is alive."""
    place = (_ANYWHERE.get(host, host), port)
    connection: http.client.HTTPConnection
    if tls:
        # Its own certificate need not name this address, and nothing is told to it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(*place, context=context, timeout=_ANSWER_SECONDS)
    else:
        connection = http.client.HTTPConnection(*place, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(path: Path) -> bool:
    """True if somebody listens on this Unix socket; the file alone may be left over."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
