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
from reconciler.model.sockets import DECISIONS_SOCKET, RECONCILER_SOCKET

RUN_FILE: Final = "run.json"
KEY_FILE: Final = "secret-values.key"
KEY_BYTES: Final = 32
# sun_path of Linux's sockaddr_un (unix(7)) with its closing zero.
_SOCKET_PATH_BYTES: Final = 107


def prepare(directory: Path) -> Path:
    """Make the directory (0700) and give it back as an absolute path. Raises StoreError."""
    longest = len(os.fsencode(directory.absolute())) + 1 + max(len(RECONCILER_SOCKET), len(DECISIONS_SOCKET))
    if longest > _SOCKET_PATH_BYTES:
        message = f"the path is {longest - _SOCKET_PATH_BYTES} bytes too long for the sockets in it"
        raise StoreError(message, where=str(directory), hint="choose a directory with a shorter path", code="SS6004")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the state directory cannot be made: {error.strerror}", where=str(directory)) from error
    return directory.absolute()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for one `setscrew run`; a second one is told so. The lock ends with the process."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        _take(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """A small file of the state directory. Raises StoreError."""
    try:
        path.write_text(text + "\n")
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        hint = "end it first, or give this one a --state of its own"
        message = "another `setscrew run` uses this state directory"
        raise StoreError(message, where=str(directory), hint=hint, code="SS6001") from error


def secret_key(directory: Path) -> bytes:
    """The key of this installation for values of Secrets (0600), made at first use."""
    path = directory / KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _key(path)
    except OSError as error:
        raise _unwritable(directory, error) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    return _key(path)


def _key(path: Path) -> bytes:
    """A key that was cut short would hash all Secrets with next to nothing."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"the key of Secret values cannot be read: {error.strerror}", where=str(path)) from error
    if len(key) != KEY_BYTES:
        hint = "restore it, or remove it together with the directory `snapshots`: both are made anew"
        raise StoreError(
            f"the key of Secret values has {len(key)} bytes, not {KEY_BYTES}",
            where=str(path),
            hint=hint,
            code="SS6003",
        )
    return key


def _unwritable(directory: Path, error: OSError) -> StoreError:
    return StoreError(f"the state directory cannot be written: {error.strerror}", where=str(directory), code="SS6002")
