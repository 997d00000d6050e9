"""Owns the layout of the state directory, its lock and the key of Secret values. Must not know what is stored in it."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.errors import StoreError

KEY_FILE: Final = "secret-values.key"
_KEY_BYTES: Final = 32


def prepare(directory: Path) -> Path:
    """Make the directory (0700) and give it back as an absolute path. Raises StoreError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the state directory cannot be made: {error.strerror}", where=str(directory)) from error
    return directory.absolute()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for one `setscrew run`; a second one is told so. The lock ends with the process."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreError("another `setscrew run` uses this state directory", where=str(directory)) from error
    finally:
        os.close(descriptor)


def secret_key(directory: Path) -> bytes:
    """The key of this installation for values of Secrets (0600), made at first use."""
    path = directory / KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()
