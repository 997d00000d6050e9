"""Owns copying a render's input: regular files only, inside one root, within limits. Never parses, never writes back.

A renderer sees the copy and nothing else, so `..` and links find nothing that was not checked here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render.detect import MANIFEST_SUFFIXES

_SKIPPED = {".git"}
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def walk(directory: Path, root: Path, *, recurse: bool, manifests: bool) -> Iterator[Path]:
    """The files below `directory`, as absolute paths in sorted order; links to directories inside `root` are followed.

    `manifests` keeps *.yaml, *.yml and *.json only. Raises RenderError for links that leave `root`, for loops of
    links and for too many files.
    """
    count = 0
    pending = [(directory, frozenset[Path]())]
    while pending:
        current, above = pending.pop(0)
        real = inside(current, root)
        if real in above:
            raise RenderError("symbolic links form a loop", where=_shown(current, root), code="SS3005")
        for entry in sorted(current.iterdir()):
            if entry.name in _SKIPPED:
                continue
            if entry.is_dir():
                if recurse:
                    pending.append((entry, above | {real}))
            elif not manifests or entry.suffix in MANIFEST_SUFFIXES:
                count += 1
                if count > limits.INPUT_FILES:
                    raise RenderError(f"more than {limits.INPUT_FILES} files", where=str(directory), code="SS3022")
                yield entry


def inside(path: Path, root: Path) -> Path:
    """`path` with links resolved. Raises RenderError when it leaves `root` or does not exist."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        message = "dangling or looping symbolic link" if path.is_symlink() else "no such file or directory"
        raise RenderError(message, where=_shown(path, root), code="SS3005") from error
    if not real.is_relative_to(root):
        raise RenderError("leads out of the source", where=_shown(path, root), code="SS3005")
    if ".git" in real.relative_to(root).parts:
        raise RenderError("leads into .git", where=_shown(path, root), code="SS3005")
    return real


def beyond(directory: Path, root: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of `names`, relative to `directory`, that lie outside it, as places below `root` ("" is the root)."""
    for name in names:
        place = Path(os.path.normpath(directory / name))
        if not place.is_relative_to(directory) and place.is_relative_to(root):
            yield str(place.relative_to(root)) if place != root else ""


def copy(files: Iterable[Path], root: Path, into: Path) -> int:
    """Copy `files` (absolute, below `root`) to the same relative places below `into`; gives the bytes copied."""
    total = 0
    for path in files:
        data = read(path, root)
        total += len(data)
        if total > limits.INPUT_BYTES:
            raise RenderError(f"more than {limits.INPUT_BYTES // limits.MIB} MiB of input", code="SS3021")
        target = into / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return total


def read(path: Path, root: Path) -> bytes:
    """The bytes of one regular file inside `root`. Raises RenderError for anything else."""
    real = inside(path, root)
    try:
        descriptor = os.open(real, _FLAGS)
    except OSError as error:
        raise RenderError(f"cannot read: {error.strerror}", where=_shown(path, root), code="SS3005") from error
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise RenderError("not a regular file", where=_shown(path, root), code="SS3005")
        data = stream.read(limits.FILE_BYTES + 1)
    if len(data) > limits.FILE_BYTES:
        raise RenderError(f"larger than {limits.FILE_BYTES // limits.MIB} MiB", where=_shown(path, root), code="SS3020")
    return data


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
