"""Owns reading commits and tags of a mirror as they are stored, proved by their ids. Must not reach a remote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.errors import SourceError, VerifyError
from reconciler.source.command import run


def read_objects(mirror: Path, oids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Kind ("commit", "tag" …) and content of each, in order. Raises SourceError, VerifyError where an id lies."""
    output = run(mirror, ["cat-file", "--batch"], stdin="".join(f"{oid}\n" for oid in oids).encode())
    at = 0
    for oid in oids:
        head = output.index(b"\n", at)
        words = output[at:head].split()
        if len(words) != 3:
            raise SourceError(f"object {oid} is missing from the mirror", where=str(mirror))
        kind, start = words[1].decode("ascii"), head + 1
        end = start + int(words[2])
        raw, at = output[start:end], end + 1
        if _id(kind, raw, len(oid)) != oid:
            raise VerifyError("is not what its id says", where=f"{kind} {oid[:12]}", code="SS2106")
        yield kind, raw


def _id(kind: str, raw: bytes, digits: int) -> str:
    named = b"%s %d\0" % (kind.encode("ascii"), len(raw)) + raw
    if digits == 64:
        return hashlib.sha256(named).hexdigest()
    return hashlib.sha1(named, usedforsecurity=False).hexdigest()
