"""Owns the manifest of a published snapshot: which parts it has, of which Secrets. Pure; must not sign or fetch.

Names that this version does not know are left out. Another FORMAT is not read at all: what it says may mean something
else. Version N reads the format of N-1 too.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from reconciler.errors import StoreError
from reconciler.limits import PUBLISHED_BYTES, PUBLISHED_CHUNK_BYTES
from reconciler.snapshot.rows import encode

FORMAT: Final = 1
CODEC: Final = "xz"
OTHER_FORMAT: Final = "SS6104"
DAMAGED: Final = "SS6103"
TOO_LARGE: Final = "SS6107"
_PREFIX: Final = "chunk-"


class Part(msgspec.Struct, frozen=True):
    """One part: SHA-256 and bytes of it as it is packed, and the names of its chunks in order."""

    sha256: str
    bytes: int
    chunks: tuple[str, ...]
    codec: str = CODEC


class Manifest(msgspec.Struct, frozen=True):
    """What was published: `snapshot` is the digest of the writer's file, `key_id` names the key of Secret values.

    `sequence` grows with each manifest, `at` is RFC 3339, `writer` the version that wrote it.
    """

    sequence: int
    parts: dict[str, Part]
    key_id: str
    snapshot: str
    at: str
    writer: str
    format: int = FORMAT

    @property
    def chunks(self) -> frozenset[str]:
        """The names of all Secrets that it needs."""
        return frozenset(name for part in self.parts.values() for name in part.chunks)


class _Format(msgspec.Struct):
    format: int


def dumped(manifest: Manifest) -> bytes:
    """The bytes that are signed. Raises StoreError (SS6107) where they do not fit into one Secret."""
    data = encode(manifest)
    if len(data) > PUBLISHED_CHUNK_BYTES:
        raise _too_large(f"{len(manifest.parts)} parts do not fit into one manifest")
    return data


def loaded(data: bytes) -> Manifest:
    """Read a manifest whose signature was right. Raises StoreError: SS6104 another format, SS6103 no manifest."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found != FORMAT:
            raise _other(f"what is published is of format {found}, and this version reads {FORMAT}")
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StoreError("the manifest of what is published cannot be read", code=DAMAGED) from error
    if any(part.codec != CODEC for part in manifest.parts.values()):
        raise _other("what is published is packed in a way that this version does not know")
    if sum(part.bytes for part in manifest.parts.values()) > PUBLISHED_BYTES:
        raise _too_large("what is published is larger than a snapshot may be")
    return manifest


def cut(data: bytes) -> list[tuple[str, bytes]]:
    """A part as its chunks, in order; a name is made of the content, so equal chunks are one Secret."""
    pieces = [data[at : at + PUBLISHED_CHUNK_BYTES] for at in range(0, len(data), PUBLISHED_CHUNK_BYTES)]
    return [(chunk_name(piece), piece) for piece in pieces]


def chunk_name(data: bytes) -> str:
    """`chunk-<sha256>`."""
    return _PREFIX + sha256(data).hexdigest()


def listed(parts: dict[str, bytes]) -> tuple[dict[str, Part], dict[str, bytes]]:
    """What a manifest says of these parts, and all their chunks by name. Raises StoreError (SS6107)."""
    if (size := sum(map(len, parts.values()))) > PUBLISHED_BYTES:
        raise _too_large(f"the snapshot is too large to be published: {size:,} bytes packed")
    table, chunks = dict[str, Part](), dict[str, bytes]()
    for name, data in parts.items():
        pieces = cut(data)
        table[name] = Part(sha256(data).hexdigest(), len(data), tuple(piece for piece, _ in pieces))
        chunks.update(pieces)
    return table, chunks


def whole(name: str, part: Part, pieces: list[bytes]) -> bytes:
    """The part of these chunks. Raises StoreError (SS6103) unless it is the one that the manifest names."""
    data = b"".join(pieces)
    if len(data) != part.bytes or sha256(data).hexdigest() != part.sha256:
        raise StoreError("a part of what is published is not what the manifest names", where=name, code=DAMAGED)
    return data


def _other(message: str) -> StoreError:
    hint = "the last good snapshot holds until all replicas run one version"
    return StoreError(message, hint=hint, code=OTHER_FORMAT)


def _too_large(message: str) -> StoreError:
    return StoreError(message, hint="split what one installation guards", code=TOO_LARGE)
