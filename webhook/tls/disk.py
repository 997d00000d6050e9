"""Owns the writing of certificate files: a set of them whole or not at all, by one process at a time.

Must not know what is in them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

SECRET: Final = 0o600
PUBLIC: Final = 0o644


class Content(NamedTuple):
    """What goes into a file. `mode` holds from its first byte on."""

    data: bytes
    mode: int = PUBLIC


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold `directory`, made 0700 if absent, for this thread. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes:
    """The content; nothing where there is no file. Raises OSError for one that cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def write(files: Mapping[Path, Content]) -> None:
    """Replace `files`, in their order, once all of them are on the disk. Raises OSError; then nothing has changed."""
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in files}
    try:
        for path, content in files.items():
            _stage(staged[path], content)
        for path, temporary in staged.items():
            temporary.replace(path)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _stage(path: Path, content: Content) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, content.mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.data)
        file.flush()
        os.fsync(file.fileno())
