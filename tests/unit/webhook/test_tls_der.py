"""Holds that the span of a certificate is read as the library reads it, and that no bytes bring anything else about."""

from __future__ import annotations

import random
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from webhook.tls.authority import issue, new_authority
from webhook.tls.der import Span, span
from webhook.tls.lifetime import Lives

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CERTIFICATE = issue(new_authority(NOW), ["localhost"], NOW).certificate_pem


@pytest.mark.parametrize("year", [1951, 1999, 2026, 2049, 2050, 2051, 2099])
def test_it_is_what_the_library_says(year: int) -> None:
    made = datetime(year, 6, 1, tzinfo=UTC)
    authority = new_authority(made, Lives(authority=timedelta(days=3650)))
    found = span(authority.certificate_pem)
    assert found.begin == authority.certificate.not_valid_before_utc.timestamp()
    assert found.end == authority.certificate.not_valid_after_utc.timestamp()


def test_only_the_first_certificate_of_a_chain_counts() -> None:
    authority = new_authority(NOW)
    leaf = issue(authority, ["localhost"], NOW)
    assert span(leaf.certificate_pem + authority.certificate_pem) == span(leaf.certificate_pem)


def test_a_span_holds_from_its_begin_until_before_its_end() -> None:
    assert [Span(10, 20).holds(now) for now in (9.9, 10, 19.9, 20)] == [False, True, True, False]


@pytest.mark.parametrize("pem", [b"", b"nonsense", CERTIFICATE[:-30], CERTIFICATE.replace(b"M", b"!", 1)])
def test_what_is_no_certificate_is_said(pem: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are those of several libraries
        span(pem)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x00",
        b"\x30\x02\x30\x00",
        b"\x30\x04\x30\x02\x02\x00",
        b"\x30\x08\x30\x06\xa0\x00\x02\x00\x30\x00",
        b"\x30\x0a\x30\x08" + 4 * b"\x30\x00",
        b"\x30\x19\x30\x17" + 3 * b"\x30\x00" + b"\x30\x0f\x17\x0d260101120000Z",
    ],
    ids=["nothing", "no body", "no fields", "one field", "three fields", "no times", "one time"],
)
def test_a_missing_element_is_said(der: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        span(ssl.DER_cert_to_PEM_cert(der).encode())


def test_broken_bytes_raise_nothing_else() -> None:
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE.decode())
    chance = random.Random(1)  # noqa: S311 - repeatable
    for _ in range(20_000):
        broken = bytearray(der)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(200)] = chance.randrange(256)
        try:
            found = span(ssl.DER_cert_to_PEM_cert(bytes(broken)).encode())
        except ValueError:
            continue
        assert isinstance(found, Span)
