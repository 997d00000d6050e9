"""Holds what is said of a serving certificate that somebody else has made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.tls.checks import covers, problems

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOST = "guard.example"
LACKS = "lacks the name guard.example among its alternative names"


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Made:
    """A certificate with its key, and how it is asked for."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, wrapping: Any = None) -> bytes:
        return bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                wrapping or serialization.NoEncryption(),
            )
        )


@dataclass(frozen=True)
class Wish:
    """What a certificate is to be like; the defaults make a good one."""

    names: tuple[str, ...] = (HOST,)
    authority: bool = False
    begin: datetime = NOW - timedelta(days=1)
    end: datetime = NOW + timedelta(days=90)
    usage: Any = ExtendedKeyUsageOID.SERVER_AUTH


def make(name: str, wish: Wish, signer: Made | None = None, own: Any = None) -> Made:
    private = own or key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.begin)
        .not_valid_after(wish.end)
        .add_extension(x509.BasicConstraints(ca=wish.authority, path_length=None), critical=True)
    )
    if wish.names and not wish.authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in wish.names]), critical=False
        )
    if wish.usage and not wish.authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([wish.usage]), critical=False)
    return Made(builder.sign(signer.key if signer else private, hashes.SHA256()), private)


ROOT = make("root", Wish(authority=True))
BETWEEN = make("between", Wish(authority=True), ROOT)
OTHER = make("other", Wish(authority=True))
GOOD = make("leaf", Wish(), ROOT)


def said(certificate: bytes, private: bytes, bundle: bytes, *hosts: str) -> list[tuple[str, str]]:
    found = problems(certificate, private, bundle, hosts or (HOST,), NOW)
    assert all(one.fix for one in found)
    return [(one.part, one.what) for one in found]


def test_a_good_certificate_has_no_problem() -> None:
    assert said(GOOD.pem, GOOD.key_pem(), ROOT.pem) == []


@pytest.mark.parametrize(
    ("changes", "part", "words"),
    [
        ({"begin": NOW - timedelta(days=9), "end": NOW - timedelta(days=3)}, "certificate", "ended 3 days ago"),
        ({"begin": NOW + timedelta(hours=1)}, "certificate", "is not valid before 2026-01-01 13:00 UTC"),
        ({"names": ("a.example", "b.example")}, "certificate", f"{LACKS} (it has only a.example, b.example)"),
        ({"names": ()}, "certificate", f"{LACKS} (it has none)"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "certificate", "is not for servers"),
    ],
)  # fmt: skip
def test_what_a_client_would_not_take_is_said(changes: dict[str, Any], part: str, words: str) -> None:
    leaf = make("leaf", replace(Wish(), **changes), ROOT)
    assert (part, words) in said(leaf.pem, leaf.key_pem(), ROOT.pem)


def test_without_extended_usage_it_serves() -> None:
    leaf = make("leaf", Wish(usage=None), ROOT)
    assert said(leaf.pem, leaf.key_pem(), ROOT.pem) == []


@pytest.mark.parametrize(
    ("private", "words"),
    [
        (key(), "is not the key of the certificate"),
        (rsa.generate_private_key(65537, 2048), "is not the key of the certificate"),
    ],
)
def test_a_key_of_another_certificate_is_said(private: Any, words: str) -> None:
    assert said(GOOD.pem, Made(GOOD.certificate, private).key_pem(), ROOT.pem) == [("key", words)]


def test_a_key_with_a_passphrase_is_said() -> None:
    wrapped = GOOD.key_pem(serialization.BestAvailableEncryption(b"example"))
    assert said(GOOD.pem, wrapped, ROOT.pem) == [("key", "has a passphrase, which nobody could type in")]


@pytest.mark.parametrize(("bits", "expected"), [(1024, [("key", "is RSA of 1024 bits")]), (2048, [])])
def test_a_short_rsa_key_is_said(bits: int, expected: list[tuple[str, str]]) -> None:
    leaf = make("leaf", Wish(), ROOT, rsa.generate_private_key(65537, bits))
    assert said(leaf.pem, leaf.key_pem(), ROOT.pem) == expected


@pytest.mark.parametrize("nothing", [b"", b"nonsense", GOOD.pem[:-40]])
def test_files_that_hold_nothing_are_each_said(nothing: bytes) -> None:
    assert [part for part, _ in said(nothing, nothing, nothing)] == ["certificate", "key", "bundle"]


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        (OTHER.pem, "holds no authority that signed the certificate"),
        (GOOD.key_pem(), "holds no certificate of an authority that is valid now"),
        (make("leaf", Wish(), ROOT).pem, "holds no certificate of an authority that is valid now"),
        (
            make("root", Wish(authority=True, end=NOW - timedelta(hours=1)), own=ROOT.key).pem,
            "holds no certificate of an authority that is valid now",
        ),
    ],
)
def test_a_bundle_of_no_use_is_said(bundle: bytes, words: str) -> None:
    assert said(GOOD.pem, GOOD.key_pem(), bundle) == [("bundle", words)]


def test_authorities_in_between_stand_in_the_certificates_file_or_in_the_bundle() -> None:
    leaf = make("leaf", Wish(), BETWEEN)
    missing = [("bundle", "holds no authority that signed the certificate")]
    assert said(leaf.pem, leaf.key_pem(), ROOT.pem) == missing
    assert said(leaf.pem + BETWEEN.pem, leaf.key_pem(), ROOT.pem) == []
    assert said(leaf.pem, leaf.key_pem(), BETWEEN.pem) == []
    assert said(leaf.pem + BETWEEN.pem, leaf.key_pem(), OTHER.pem) == missing


def test_nobody_signs_as_an_authority_who_is_none() -> None:
    forged = make("forged", Wish(), GOOD)
    assert said(forged.pem + GOOD.pem, forged.key_pem(), ROOT.pem) == [
        ("bundle", "holds no authority that signed the certificate")
    ]


def test_a_certificate_that_signed_itself_is_its_own_bundle() -> None:
    alone = make("alone", Wish())
    assert said(alone.pem, alone.key_pem(), alone.pem) == []


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (("guard.example",), "GUARD.example.", True),
        (("*.example",), "guard.example", True),
        (("*.example",), "a.guard.example", False),
        (("*.example",), "example", False),
        (("*",), "guard", False),
        (("10.0.0.1",), "10.0.0.1", True),
        (("::1",), "0:0:0:0:0:0:0:1", True),
        (("*.0.0.1",), "10.0.0.1", False),
        ((), "guard", False),
    ],
)
def test_names_cover_hosts_as_clients_see_it(names: tuple[str, ...], host: str, expected: bool) -> None:
    assert covers(names, host) is expected
