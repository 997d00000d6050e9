"""Owns reading the span of a certificate from its bytes: the workers load no library for it. Must not verify anything.

RFC 5280, 4.1: Certificate → tbsCertificate → [version], serial, signature, issuer, validity → two times.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Final, NamedTuple

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_FORMATS: Final = {_UTC_TIME: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class Span(NamedTuple):
    """From when to when a certificate is valid, in Unix seconds."""

    begin: float = 0.0
    end: float = 0.0

    def holds(self, now: float) -> bool:
        """Whether clients with the clock `now` accept it."""
        return self.begin <= now < self.end


def span(pem: bytes) -> Span:
    """The span of the first certificate in `pem`. Raises ValueError for what is none."""
    text = pem.decode("ascii", "replace")
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        raise ValueError("no certificate")
    certificate = ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)])
    try:
        fields = _parts(_parts(_parts(certificate)[0][1])[0][1])
        dates = fields[4 if fields[0][0] == _VERSION else 3][1]
    except IndexError:
        raise ValueError("an element is missing") from None
    first, last = (_seconds(tag, value) for tag, value in _parts(dates))
    return Span(first, last)


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of the elements in `data`. Raises ValueError where they are cut short."""
    found = []
    at = 0
    while at < len(data):
        tag, length, at = data[at], _byte(data, at + 1), at + 2
        if length > 0x7F:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("cut short")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("cut short")
    return data[at]


def _seconds(tag: int, value: bytes) -> float:
    if tag not in _FORMATS:
        raise ValueError("no time")
    time = datetime.strptime(value.decode("ascii"), _FORMATS[tag]).replace(tzinfo=UTC)
    # Two digits are 1950 to 2049 here, and 1969 to 2068 to strptime.
    return time.replace(year=time.year - 100 if tag == _UTC_TIME and time.year >= 2050 else time.year).timestamp()
