"""Owns what the pointer of snapshots names, and the digest of that file, read whole once. Must not open a snapshot.

A file of a hundred thousand objects takes half a second to read. The master does it while it loads modules, and the
workers, forked afterwards, know the answer as long as the file is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread

# By what tells one content of a file from another: files of snapshots are never written in place.
_READ: dict[tuple[int, int, int, int], str] = {}


def pointed(pointer: Path) -> tuple[Path, str]:
    """The file that is current, beside its pointer, and the digest that it must have.

    Raises OSError, and ValueError, LookupError or TypeError for a pointer that is none.
    """
    content = json.loads(pointer.read_text())
    return pointer.parent / Path(str(content["file"])).name, str(content["digest"])


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if stamp not in _READ:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            _READ.clear()
            _READ[stamp] = digest
        return _READ[stamp]


def read_ahead(pointer: Path) -> Thread:
    """Begin to read what is current, whatever it is: whoever opens it says what is wrong. Join before a fork."""

    def read() -> None:
        with suppress(OSError, ValueError, LookupError, TypeError):
            digest_of(pointed(pointer)[0])

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread
