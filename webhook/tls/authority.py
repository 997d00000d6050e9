"""Owns the making of certificates: a certificate authority of our own and the serving certificates it signs.

P-256 throughout: the API server makes a full handshake for each connection. Must not touch files or read the clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.limits import CLOCK_SKEW_SECONDS
from webhook.tls.lifetime import LIVES, Lives, Validity


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def validity(self) -> Validity:
        """Span and names."""
        return validity(self.certificate)


def new_authority(now: datetime, lives: Lives = LIVES) -> KeyPair:
    """A self-signed authority; each has a name of its own, so that two can be trusted at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"setscrew admission CA {now:%Y-%m-%dT%H:%M:%S.%fZ}")
    usage = _key_usage(signs_certificates=True)
    builder = (
        _builder(name, name, key, now, now + lives.authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def issue(authority: KeyPair, names: Iterable[str], now: datetime, lives: Lives = LIVES) -> KeyPair:
    """A serving certificate for `names` (DNS names and IP addresses); it never outlives `authority`."""
    wanted = sorted(set(names))
    if not wanted:
        raise ValueError("a serving certificate needs at least one name")
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + lives.serving, authority.certificate.not_valid_after_utc)
    builder = (
        _builder(_name("setscrew admission"), authority.certificate.subject, key, now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    return KeyPair(builder.sign(authority.key, hashes.SHA256()), key)


def read_pair(certificate: bytes, key: bytes) -> KeyPair | None:
    """The pair, or None where one cannot be read or they do not belong together."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or parsed.public_key() != private.public_key():
        return None
    return KeyPair(parsed, private)


def read_bundle(bundle: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM bundle; none where it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return []


def write_bundle(certificates: Iterable[x509.Certificate]) -> bytes:
    """Them as a PEM bundle."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """True when `authority` signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError and TypeError all mean no
        return False
    return True


def validity(certificate: x509.Certificate) -> Validity:
    """Span and names of a certificate."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        names: frozenset[str] = frozenset()
    else:
        dns = san.get_values_for_type(x509.DNSName)
        addresses = san.get_values_for_type(x509.IPAddress)
        names = frozenset(dns) | frozenset(str(address) for address in addresses)
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc, names)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A client whose clock is a little behind must accept it at once.
        .not_valid_before(now - timedelta(seconds=CLOCK_SKEW_SECONDS))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
