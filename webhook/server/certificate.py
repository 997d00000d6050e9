"""Owns the TLS context of the admission listener and its change of certificates without a restart.

Must not make certificates: `webhook.tls` does, and the workers never import what makes them.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Self

from reconciler.errors import UsageError
from reconciler.limits import TLS_SETTLE_SECONDS
from webhook.server.trial import refused
from webhook.settings import AdmissionSettings
from webhook.tls.der import Span, span

_LOG = logging.getLogger("setscrew.admission")
_UNLOADED: Final = "SS1005"
_Stamp = tuple[tuple[int, int, int], ...]


class _UnfitError(Exception):
    """Files that are there and of no use (yet)."""

    def __init__(self, where: Path, reason: str) -> None:
        super().__init__(reason)
        self.where = where


class _Loaded(NamedTuple):
    """One state of the files: what they make, and how to know that they are still the same."""

    context: ssl.SSLContext
    span: Span
    stamp: _Stamp


class ServingCertificate:
    """One context for all connections of a process: building one for each costs more than the handshake.

    `context` stays the same object; each handshake goes on in the newest context that could be made of the files, so
    that none is ever half changed, and what a new `client_ca` leaves out is not trusted any more.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        minimum: ssl.TLSVersion,
        *,
        client_ca: Path | None = None,
        trial: Callable[[ssl.SSLContext], str] = lambda _: "",
        settle_seconds: float = TLS_SETTLE_SECONDS,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - certificates are valid by the clock on the wall
    ) -> None:
        """`trial` says why clients would refuse a new certificate. Raises UsageError for files that do not fit."""
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._minimum = minimum
        self._trial = trial
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._fresh: tuple[_Stamp, float] = ((), 0.0)
        self._told: _Stamp | None = None
        self._trusted = False
        try:
            self._loaded = self._load()
        except (OSError, _UnfitError) as error:
            where, reason = self._explained(error)
            hint = "setscrew run and setscrew register make one" if where != client_ca else ""
            raise UsageError(reason, where=str(where), hint=hint, code=_UNLOADED) from None
        self.context = self._new_context()
        self.context.sni_callback = self._go_on

    @classmethod
    def of(cls, settings: AdmissionSettings) -> Self:
        """That of an admission server. Raises UsageError."""
        files = (settings.certificate, settings.key)
        bundle, host = settings.tls_trusted, settings.tls_host
        trial = partial(refused, bundle=bundle, host=host) if bundle and host else lambda _: ""
        return cls(*files, settings.tls_minimum, client_ca=settings.client_ca, trial=trial)

    @property
    def not_after(self) -> float:
        """When the certificate in use ends, in Unix seconds."""
        return self._loaded.span.end

    def valid_now(self) -> bool:
        """Whether clients accept the certificate in use by this clock."""
        return self._loaded.span.holds(self._clock())

    def trusted(self) -> bool:
        """Whether clients have come to trust the certificate in use; also where nobody says whom they trust."""
        with suppress(OSError):
            self._trusted = self._trusted or not self._trial(self._loaded.context)
            return self._trusted
        return True

    def reload_if_changed(self) -> bool:
        """Take new files for the connections to come. Files that do not fit (yet) change nothing and are tried again.

        They are taken when they have stood unchanged for `settle_seconds`, since the API server has to be told of a
        new authority meanwhile, and clients would accept them; at once where those refuse the one in use.
        """
        stamp: _Stamp = ()
        try:
            stamp = self._look()
            if stamp == self._loaded.stamp or not self._settled(stamp):
                return False
            self._take()
        except (OSError, _UnfitError) as error:
            if stamp != self._told:
                _LOG.warning("%s; the one in use stays", self._explained(error)[1])
            self._told = stamp
            return False
        self._told = None
        _LOG.info("serving certificate reloaded")
        return True

    def _take(self) -> None:
        """Raises OSError or _UnfitError. What clients would refuse is better than what they refuse already."""
        loaded = self._load()
        if self.valid_now() and (reason := self._trial(loaded.context)):
            raise _UnfitError(self._certificate, f"clients would refuse it ({reason})")
        self._loaded, self._trusted = loaded, False

    def _settled(self, stamp: _Stamp) -> bool:
        if stamp != self._fresh[0]:
            self._fresh = (stamp, time.monotonic())
        return time.monotonic() - self._fresh[1] >= self._settle_seconds or not self.valid_now()

    def _load(self) -> _Loaded:
        """Raises OSError for files that are missing, _UnfitError for those that do not fit or change meanwhile."""
        stamp = self._look()
        context = self._new_context()
        try:
            # With a password given, nobody is asked for one.
            context.load_cert_chain(self._certificate, self._key, password="")
            dates = span(self._certificate.read_bytes())
        except (ssl.SSLError, ValueError):
            raise _UnfitError(self._certificate, "not a matching PEM pair") from None
        if self._client_ca is not None:
            try:
                context.load_verify_locations(self._client_ca)
            except ssl.SSLError:
                raise _UnfitError(self._client_ca, "no certificate in PEM") from None
        if self._look() != stamp:
            raise _UnfitError(self._certificate, "it is being replaced")
        return _Loaded(context, dates, stamp)

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        context.set_alpn_protocols(["http/1.1"])
        # The API server never resumes a session, and a resumed one would not be verified again.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        if self._client_ca is not None:
            # Optional, because health checks show none: webhook.server.client refuses reviews without one.
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _go_on(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._loaded.context

    def _files(self) -> Iterator[Path]:
        yield from (self._certificate, self._key)
        if self._client_ca is not None:
            yield self._client_ca

    def _look(self) -> _Stamp:
        return tuple((seen.st_mtime_ns, seen.st_ino, seen.st_size) for seen in map(os.stat, self._files()))

    def _explained(self, error: OSError | _UnfitError) -> tuple[Path, str]:
        if isinstance(error, _UnfitError):
            where, reason = error.where, str(error)
        else:
            where, reason = Path(error.filename or self._certificate), error.strerror or str(error)
        what = "the client CA" if where == self._client_ca else "the serving certificate"
        return where, f"{what} cannot be loaded: {reason}"
