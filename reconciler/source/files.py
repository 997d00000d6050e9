"""Owns reading Secrets from a directory as a mounted volume lays them out: one directory a Secret, one file a key.

A Secret of a namespace lies in `<namespace>/<name>/`. Read anew each time, so that secrets rotate. Must not keep or
quote what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.limits import SECRET_BYTES
from reconciler.source.secret import SecretRef


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """The `Secrets` of a directory."""

    directory: Path

    def __call__(self, ref: SecretRef) -> Mapping[str, bytes]:
        """The keys of one Secret. Raises SourceError SS2011 where there is none, or it cannot be read."""
        place = self.directory.joinpath(*filter(None, (ref.namespace, ref.name)))
        if any(part in {"", ".", ".."} or "/" in part for part in (ref.name, ref.namespace or "-")):
            raise _missing(ref, "its name is no name of a Secret")
        if not place.is_dir():
            raise _missing(ref, f"there is no directory {place}")
        try:
            # Names that begin with two dots are those by which a volume swaps all its files at once.
            files = [file for file in sorted(place.iterdir()) if not file.name.startswith("..") and file.is_file()]
            return {file.name: _content(file) for file in files}
        except OSError as error:
            raise _missing(ref, f"it cannot be read: {error.strerror}") from error


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(SECRET_BYTES)


def _missing(ref: SecretRef, why: str) -> SourceError:
    hint = "one directory a Secret, one file a key: see --secrets"
    return SourceError(f"no Secret {ref}: {why}", hint=hint, code="SS2011")
