"""Owns the TLS context of the admission listener and its change of certificate without a restart.

Must not make certificates: `webhook.tls` does, and the workers never import it.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

from reconciler.errors import UsageError

_LOG = logging.getLogger("setscrew.admission")
_Stamp = tuple[tuple[int, int, int], ...]


class ServingCertificate:
    """One context for all connections of a process: building one for each costs more than the handshake."""

    def __init__(self, certificate: Path, key: Path, minimum: ssl.TLSVersion) -> None:
        """Raises UsageError where the files are missing or do not fit together."""
        self._files = (certificate, key)
        self._minimum = minimum
        self.context = self._new_context()
        self._stamp: _Stamp = ()
        try:
            self._stamp = self._look()
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            reason = "not a matching PEM pair" if isinstance(error, ssl.SSLError) else error.strerror
            raise UsageError(
                f"the serving certificate cannot be loaded: {reason}",
                where=str(certificate),
                hint="setscrew run and setscrew register make one",
            ) from None

    def reload_if_changed(self) -> bool:
        """Take new files into the same context. Files that do not fit (yet) change nothing and are tried again."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            # A pair caught between two renames would leave the live context without a key: try it elsewhere first.
            self._new_context().load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            _LOG.warning("the new serving certificate cannot be loaded, the old one stays: %s", type(error).__name__)
            return False
        self._stamp = stamp
        _LOG.info("serving certificate reloaded")
        return True

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        return context

    def _look(self) -> _Stamp:
        return tuple((seen.st_mtime_ns, seen.st_ino, seen.st_size) for seen in map(os.stat, self._files))
