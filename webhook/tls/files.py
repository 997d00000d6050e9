"""Owns the certificate files of the state directory: makes, renews and writes them whole. Must not read the clock.

    ca.crt, ca.key    the authority that signs serving certificates
    ca-bundle.crt     what the API server is to trust: this authority and earlier ones that are still valid
    tls.crt, tls.key  the serving certificate

Order of a renewal: a new authority goes into the bundle first and signs only the next serving certificate, days later,
so that every registration knows it before a server shows anything signed by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from reconciler.errors import StoreError
from webhook.tls.authority import KeyPair, issue, new_authority, read_bundle, read_pair, signed_by, validity
from webhook.tls.lifetime import renewal, usable


@dataclass(frozen=True, slots=True)
class ServingFiles:
    """Where the server finds its certificate, and what its clients are to trust. `reasons`: what was renewed, why."""

    certificate: Path
    key: Path
    ca_bundle: bytes
    not_after: datetime
    reasons: tuple[str, ...] = ()


def ensure(directory: Path, names: Iterable[str], now: datetime) -> ServingFiles:
    """Make or renew what is due in `directory` (created 0700); call it at start and then once an hour.

    `names` are the DNS names and IP addresses the API server calls. Raises StoreError where files cannot be written.
    """
    wanted = frozenset(names)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _ensure(directory, wanted, now)
    except OSError as error:
        raise StoreError(f"certificates cannot be kept: {error.strerror}", where=str(directory)) from None


def _ensure(directory: Path, names: frozenset[str], now: datetime) -> ServingFiles:
    reasons: list[str] = []
    authority = _read_pair(directory, "ca")
    if authority is None or not usable(authority.validity, now):
        authority = _renew_authority(directory, authority, now, reasons)
    serving = _serving(directory, authority, names, now, reasons)
    if renewal(authority.validity, now).due:
        _renew_authority(directory, authority, now, reasons)
    return ServingFiles(
        directory / "tls.crt",
        directory / "tls.key",
        (directory / "ca-bundle.crt").read_bytes(),
        serving.certificate.not_valid_after_utc,
        tuple(reasons),
    )


def _renew_authority(directory: Path, old: KeyPair | None, now: datetime, reasons: list[str]) -> KeyPair:
    reasons.append(f"certificate authority: {renewal(old.validity if old else None, now).reason}")
    new = new_authority(now)
    # The bundle first: a certificate of an authority that nobody trusts yet must not exist.
    _write(directory / "ca-bundle.crt", new.certificate_pem + _trusted(directory, now), 0o644)
    _write_pair(directory, "ca", new)
    return new


def _trusted(directory: Path, now: datetime) -> bytes:
    earlier = read_bundle(_read(directory / "ca-bundle.crt"))
    kept = [certificate for certificate in earlier if usable(validity(certificate), now)]
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in kept)


def _serving(directory: Path, authority: KeyPair, names: frozenset[str], now: datetime, reasons: list[str]) -> KeyPair:
    trusted = read_bundle(_read(directory / "ca-bundle.crt"))
    if authority.certificate not in trusted:
        _write(directory / "ca-bundle.crt", authority.certificate_pem + _trusted(directory, now), 0o644)
        trusted.append(authority.certificate)
    serving = _read_pair(directory, "tls")
    reason = renewal(serving.validity if serving else None, now, names).reason
    if serving and not reason:
        if any(signed_by(serving.certificate, ca) and usable(validity(ca), now) for ca in trusted):
            return serving
        reason = "its authority is not trusted any more"
    reasons.append(f"serving certificate: {reason}")
    serving = issue(authority, names, now)
    _write_pair(directory, "tls", serving)
    return serving


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _read_pair(directory: Path, stem: str) -> KeyPair | None:
    return read_pair(_read(directory / f"{stem}.crt"), _read(directory / f"{stem}.key"))


def _write_pair(directory: Path, stem: str, pair: KeyPair) -> None:
    _write(directory / f"{stem}.key", pair.key_pem, 0o600)
    _write(directory / f"{stem}.crt", pair.certificate_pem, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all; a key is never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
