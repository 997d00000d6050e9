"""Owns the check of a serving certificate that somebody else has made: what the API server would say to it.

Pure: takes what the files hold, and the time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from reconciler.limits import RSA_BITS
from webhook.tls.authority import read_bundle, signed_by, validity
from webhook.tls.lifetime import left, usable

# More links than any public chain has.
_LINKS: Final = 5
_RENEW: Final = "have it issued again"

Part = Literal["certificate", "key", "bundle"]


class Problem(NamedTuple):
    """What is wrong with one of the three files, and what to do about it."""

    part: Part
    what: str
    fix: str


def problems(certificate: bytes, key: bytes, bundle: bytes, names: Collection[str], now: datetime) -> list[Problem]:
    """All that is wrong, the worst first. PEM; `names` are the hosts that the API server calls."""
    chain, roots = read_bundle(certificate), authorities(bundle, now)
    found = [] if chain else [Problem("certificate", "holds no certificate in PEM", "give the serving certificate")]
    found += _of_key(key, chain[0] if chain else None)
    found += _of_certificate(chain[0], names, now) if chain else []
    if not roots:
        what = "holds no certificate of an authority that is valid now"
        found.append(Problem("bundle", what, "give the authority that signed the certificate, as PEM"))
    elif chain and not verifies(chain, roots, now):
        what = "holds no authority that signed the certificate"
        fix = "add that authority, or put the authorities between them into the certificate's file"
        found.append(Problem("bundle", what, fix))
    return found


def authorities(bundle: bytes, now: datetime) -> list[x509.Certificate]:
    """What clients may be told to trust: authorities, and certificates that signed themselves, if valid now."""
    found = read_bundle(bundle)
    return [one for one in found if usable(validity(one), now) and (_is_authority(one) or one.subject == one.issuer)]


def verifies(chain: Sequence[x509.Certificate], roots: Collection[x509.Certificate], now: datetime) -> bool:
    """Whether a client that trusts `roots` finds its way from the first of `chain` to one of them."""
    between = [one for one in chain[1:] if _is_authority(one) and usable(validity(one), now)]
    reached = [chain[0]]
    for _ in range(_LINKS):
        if any(one in roots or any(signed_by(one, root) for root in roots) for one in reached):
            return True
        reached = [higher for higher in between if any(signed_by(one, higher) for one in reached)]
    return False


def covers(names: Iterable[str], host: str) -> bool:
    """Whether one of a certificate's alternative names is for `host`; `*.` stands for one label."""
    known, wanted = set(map(_plain, names)), _plain(host)
    if wanted in known:
        return True
    return not _is_address(wanted) and f"*.{wanted.partition('.')[2]}" in known


def _of_key(key: bytes, leaf: x509.Certificate | None) -> Iterator[Problem]:
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError:
        yield Problem(
            "key", "has a passphrase, which nobody could type in", "give it without one, readable by its owner alone"
        )
        return
    except (ValueError, UnsupportedAlgorithm):
        yield Problem("key", "holds no private key in PEM", "give the key of the certificate")
        return
    if leaf is not None and leaf.public_key() != private.public_key():
        yield Problem("key", "is not the key of the certificate", "give the two that belong together")
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < RSA_BITS:
        yield Problem("key", f"is RSA of {private.key_size} bits", f"take P-256, or RSA of at least {RSA_BITS} bits")


def _of_certificate(leaf: x509.Certificate, names: Collection[str], now: datetime) -> Iterator[Problem]:
    span = validity(leaf)
    if span.not_after <= now:
        yield Problem("certificate", left(span.not_after, now), _RENEW)
    if now < span.not_before:
        yield Problem("certificate", f"is not valid before {span.not_before:%Y-%m-%d %H:%M} UTC", "check the clock")
    if missing := [host for host in names if not covers(span.names, host)]:
        has = f"only {', '.join(sorted(span.names)[:5])}" if span.names else "none"
        what = f"lacks the name {missing[0]} among its alternative names (it has {has})"
        yield Problem("certificate", what, f"{_RENEW} for the host that the API server calls")
    if not _serves(leaf):
        yield Problem("certificate", "is not for servers", f"{_RENEW} with the extended usage serverAuth")


def _serves(leaf: x509.Certificate) -> bool:
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return bool({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usages))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _plain(name: str) -> str:
    return str(ipaddress.ip_address(name)) if _is_address(name) else name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
