"""Owns following the API server's audit log: a file that grows, is renamed, or is cut. Must not read events.

A place in it is (device, inode, offset), so that after a restart, or a rotation meanwhile, nothing is read twice and
nothing is left out as long as the older file is still beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.limits import AUDIT_LINE_BYTES, MIB

_CHUNK: Final = MIB


@dataclass(frozen=True, slots=True)
class Place:
    """What was read: up to `offset` of the file with that device and inode. The default: nothing yet."""

    device: int = 0
    inode: int = 0
    offset: int = 0


@dataclass(slots=True)
class AuditLog:
    """`place` is where to go on; with the default it begins at the present end. `lost`: gaps that it knows of."""

    path: Path
    place: Place = field(default_factory=Place)
    lost: int = 0

    def lines(self) -> Iterator[bytes]:
        """The whole lines that have come since; half of one stays for the next call. Raises OSError."""
        if self.place == Place():
            found = self.path.stat()
            self.place = Place(found.st_dev, found.st_ino, found.st_size)
            return
        for path, inode in self._parts():
            yield from self._read(path, inode)

    def _parts(self) -> list[tuple[Path, int]]:
        """The file that was read last, then those that were begun after it, oldest first; each with its inode."""
        now = self.path.stat()
        newest = (self.path, now.st_ino)
        if (now.st_dev, now.st_ino) == (self.place.device, self.place.inode):
            return [newest]
        beside = self.path.parent.glob(f"{self.path.stem}*{self.path.suffix}")
        parts = sorted((one for one in beside if one != self.path), key=lambda one: one.stat().st_mtime_ns)
        inodes = [path.stat().st_ino for path in parts]
        if self.place.inode in inodes:
            return [*list(zip(parts, inodes, strict=True))[inodes.index(self.place.inode) :], newest]
        self.lost += 1
        return [newest]

    def _read(self, path: Path, inode: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_ino != inode:
                return  # renamed since it was listed: the next look finds it beside the new one
            same = (found.st_dev, found.st_ino) == (self.place.device, self.place.inode)
            # Cut (copytruncate) is begun anew: what was between our last look and the cut is gone.
            start = self.place.offset if same and self.place.offset <= found.st_size else 0
            self.lost += same and self.place.offset > found.st_size
            file.seek(start)
            self.place = Place(found.st_dev, found.st_ino, start)
            yield from self._whole(iter(lambda: file.read(_CHUNK), b""))

    def _whole(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Lines with their end; one above AUDIT_LINE_BYTES is dropped, and counted as lost."""
        rest, dropping = b"", False
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.place = Place(self.place.device, self.place.inode, self.place.offset + len(line) + 1)
                if not dropping:
                    yield line
                dropping = False
            if len(rest) > AUDIT_LINE_BYTES:
                self.place = Place(self.place.device, self.place.inode, self.place.offset + len(rest))
                self.lost += not dropping
                rest, dropping = b"", True
