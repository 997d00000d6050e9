"""Owns the question whether a client would take what a TLS context shows: a handshake in memory. Opens no socket."""

from __future__ import annotations

import ssl
from pathlib import Path

# Each flight of TLS 1.2 and 1.3, in either direction.
_FLIGHTS = 4


def refused(server: ssl.SSLContext, bundle: Path, host: str) -> str:
    """Why a client that trusts `bundle` (PEM) and calls `host` would not go on; "" if it would.

    Raises OSError where the bundle cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    # As Go has it: an authority in the bundle is the end of the way, whoever has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=host)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(_FLIGHTS):
            for side in (client, other):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return error.reason or type(error).__name__
    return ""
