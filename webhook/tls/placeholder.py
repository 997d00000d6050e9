"""Owns the certificate with which a server answers health checks before there is a real one. Nobody can ever trust it.

It has expired before it was made, so whatever comes is better, and is taken at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from reconciler.errors import StoreError
from webhook.tls import disk
from webhook.tls.authority import issue, new_authority
from webhook.tls.disk import SECRET, Content
from webhook.tls.lifetime import Lives

_LIFE: Final = Lives(timedelta(minutes=1), timedelta(minutes=1))
_AGO: Final = timedelta(days=1)


def ensure(directory: Path, now: datetime) -> bool:
    """Write one to `directory` (made 0700) unless it holds a certificate; True if so. Raises StoreError."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    try:
        with disk.alone(directory):
            if disk.read(certificate) and disk.read(key):
                return False
            made = issue(new_authority(now - _AGO, _LIFE), frozenset({"localhost"}), now - _AGO, _LIFE)
            disk.write({key: Content(made.key_pem, SECRET), certificate: Content(made.certificate_pem)})
    except OSError as error:
        hint = "check the owner and the space of the disk"
        raise StoreError(
            f"certificates cannot be kept: {error.strerror or error}", where=str(directory), hint=hint, code="SS6005"
        ) from None
    return True
