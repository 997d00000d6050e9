"""Owns the revision of a plain directory: a digest of its files, so that a change is noticed without Git."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source.backend import Revision


def directory_revision(path: Path) -> Revision:
    """The revision of a directory or file: `dir@sha256:<64 hex>` over names and contents, `.git` left out.

    Links count by their target's name, not by its content. Raises SourceError when it cannot be read or is too large.
    """
    if not path.exists():
        raise SourceError("no such file or directory", where=str(path), code="SS2006")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if ".git" not in file.parts)
    if len(files) > limits.INPUT_FILES:
        raise SourceError(f"more than {limits.INPUT_FILES} files", where=str(path), code="SS2007")
    digest = hashlib.sha256()
    for file in files:
        name = str(file.relative_to(path)).encode("utf-8", "surrogateescape")
        if file.is_symlink():
            content = str(file.readlink()).encode("utf-8", "surrogateescape")
        elif file.is_file():
            content = _content(file)
        else:
            continue
        digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
        digest.update(content)
    return Revision(path.name, digest.hexdigest(), "dir")


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read(limits.INPUT_BYTES)).digest()
    except OSError as error:
        raise SourceError(f"cannot read: {error.strerror}", where=str(file)) from error
