"""Owns the certificate files of the state directory: makes, renews and writes them whole. Must not read the clock.

    ca.crt, ca.key            the authority that signs serving certificates
    next-ca.crt, next-ca.key  its successor, until the API server is known to trust it
    ca-bundle.crt             what the API server is to trust: both, and earlier ones that are still valid
    tls.crt, tls.key          the serving certificate

Order of a renewal: a new authority goes into the bundle first and signs nothing until `registered` says that the API
server has that bundle. Only where nothing else is left, with no certificate that any client accepts, it signs at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from reconciler.errors import StoreError
from reconciler.limits import RENEWAL_RETRY_SECONDS
from webhook.tls import disk
from webhook.tls.authority import (
    KeyPair,
    issue,
    new_authority,
    read_bundle,
    read_pair,
    signed_by,
    validity,
    write_bundle,
)
from webhook.tls.disk import PUBLIC, SECRET, Content
from webhook.tls.lifetime import LIVES, Lives, left, renewal, usable

BUNDLE: Final = "ca-bundle.crt"
NAMES: Final = ("ca.crt", "ca.key", "next-ca.crt", "next-ca.key", BUNDLE, "tls.crt", "tls.key")


@dataclass(frozen=True, slots=True)
class ServingFiles:
    """Where the server finds its certificate, and what its clients are to trust.

    `due`: when to look again. `reasons`: what was renewed, why. `trouble`: why what is due could not be done, with the
    time that is left; "" if all is well.
    """

    certificate: Path
    key: Path
    ca_bundle: bytes
    not_after: datetime
    due: datetime
    reasons: tuple[str, ...] = ()
    trouble: str = ""


def ensure(directory: Path, names: Iterable[str], now: datetime, lives: Lives = LIVES) -> ServingFiles:
    """Make or renew what is due in `directory` (created 0700); call it at start and whenever it is `due`.

    `names` are the DNS names and IP addresses the API server calls. Where files cannot be written the last good ones
    stay. Raises StoreError where there are none that would do.
    """
    work = _Work(directory, frozenset(names), now, lives)
    trouble = ""
    try:
        with disk.alone(directory):
            try:
                work.renew()
            except OSError as error:
                trouble = error.strerror or str(error)
            return work.found(trouble)
    except OSError as error:
        raise _unkept(directory, error.strerror or str(error)) from None


def registered(directory: Path, ca_bundle: bytes) -> None:
    """The API server trusts all of `ca_bundle` by now: a new authority in it signs from now on. Raises StoreError."""
    try:
        with disk.alone(directory):
            successor = _pair(directory, "next-ca")
            if successor is not None and successor.certificate in read_bundle(ca_bundle):
                _promote(directory, successor)
    except OSError as error:
        raise _unkept(directory, error.strerror or str(error)) from None


class _Work:
    """One look at `directory`: what is there, what is due, and what was done about it."""

    def __init__(self, directory: Path, names: frozenset[str], now: datetime, lives: Lives) -> None:
        self.directory, self.names, self.now, self.lives = directory, names, now, lives
        self.reasons: list[str] = []

    def renew(self) -> None:
        """Do what is due. Raises OSError."""
        authority, successor = self._usable("ca"), self._usable("next-ca")
        why = renewal(authority.validity if authority else None, self.now).reason
        if why and successor is None:
            successor = self._new_authority(why)
        self._trust(*(pair for pair in (successor, authority) if pair))
        if why := self._serving_is_due():
            if authority is None and successor is not None:
                if self._serving_will_do():
                    return  # until the API server trusts the successor
                _promote(self.directory, authority := successor)
            assert authority is not None  # noqa: S101 - without one a successor was made above
            serving = issue(authority, self.names, self.now, self.lives)
            _write_pair(self.directory, "tls", serving)
            self.reasons.append(f"serving certificate: {why}")

    def found(self, trouble: str) -> ServingFiles:
        """What is there now. Raises StoreError where a server cannot work with it, OSError where it is unreadable."""
        serving = _pair(self.directory, "tls")
        if serving is None or (trouble and not usable(serving.validity, self.now)):
            raise _unkept(self.directory, trouble)
        end = serving.validity.not_after
        if trouble:
            trouble = f"certificates cannot be renewed: {trouble}; the one in use {left(end, self.now)}"
        bundle = (self.directory / BUNDLE).read_bytes()
        files = (self.directory / "tls.crt", self.directory / "tls.key")
        return ServingFiles(*files, bundle, end, self._due(serving, trouble), tuple(self.reasons), trouble)

    def _due(self, serving: KeyPair, trouble: str) -> datetime:
        soon = self.now + timedelta(seconds=RENEWAL_RETRY_SECONDS)
        if trouble:
            return soon
        times = [serving.validity.renew_at, *(validity(ca).not_after for ca in self._trusted())]
        successor, authority = self._usable("next-ca"), self._usable("ca")
        if authority and not successor:
            times.append(authority.validity.renew_at)
        return max(soon, min(times))

    def _usable(self, stem: str) -> KeyPair | None:
        pair = _pair(self.directory, stem)
        return pair if pair and usable(pair.validity, self.now) else None

    def _trusted(self) -> list[x509.Certificate]:
        bundle = read_bundle(disk.read(self.directory / BUNDLE))
        return [certificate for certificate in bundle if usable(validity(certificate), self.now)]

    def _new_authority(self, why: str) -> KeyPair:
        new = new_authority(self.now, self.lives)
        # The bundle first: a certificate of an authority that nobody trusts yet must not exist.
        self._trust(new)
        _write_pair(self.directory, "next-ca", new)
        self.reasons.append(f"certificate authority: {why}")
        return new

    def _trust(self, *pairs: KeyPair) -> None:
        """The bundle holds `pairs` and what is still valid of earlier ones."""
        path = self.directory / BUNDLE
        trusted = self._trusted()
        wanted = [pair.certificate for pair in pairs if pair.certificate not in trusted] + trusted
        content = write_bundle(wanted)
        if content != disk.read(path):
            disk.write({path: Content(content, PUBLIC)})

    def _serving_is_due(self) -> str:
        serving = _pair(self.directory, "tls")
        why = renewal(serving.validity if serving else None, self.now, self.names).reason
        if serving and not why and not self._verifies(serving):
            return "its authority is not trusted any more"
        return why

    def _serving_will_do(self) -> bool:
        serving = self._usable("tls")
        return serving is not None and self.names <= serving.validity.names and self._verifies(serving)

    def _verifies(self, serving: KeyPair) -> bool:
        return any(signed_by(serving.certificate, authority) for authority in self._trusted())


def _pair(directory: Path, stem: str) -> KeyPair | None:
    return read_pair(disk.read(directory / f"{stem}.crt"), disk.read(directory / f"{stem}.key"))


def _write_pair(directory: Path, stem: str, pair: KeyPair) -> None:
    disk.write(
        {
            directory / f"{stem}.key": Content(pair.key_pem, SECRET),
            directory / f"{stem}.crt": Content(pair.certificate_pem, PUBLIC),
        }
    )


def _promote(directory: Path, successor: KeyPair) -> None:
    """A crash in between leaves the successor where it is, to be promoted again."""
    _write_pair(directory, "ca", successor)
    for suffix in ("crt", "key"):
        (directory / f"next-ca.{suffix}").unlink(missing_ok=True)


def _unkept(directory: Path, reason: str) -> StoreError:
    hint = "check the owner and the space of the disk"
    return StoreError(f"certificates cannot be kept: {reason}", where=str(directory), hint=hint, code="SS6005")
