"""Owns the writing of small files of the state directory: whole or not at all. Must not know what is in them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reconciler.errors import StoreError


def write_private(path: Path, text: str) -> None:
    """A file of mode 0600, complete or not at all. It belongs to the directory's owner also where root writes it.

    Raises StoreError.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                if os.geteuid() == 0:
                    owner = path.parent.stat()
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                file.write(text)
            Path(name).replace(path)
        finally:  # on a full disk nothing is left behind, however often it is tried
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(path)) from None
