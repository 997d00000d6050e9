"""Owns looking into packed charts before Helm does: what they hold, and how much it is. Nothing is unpacked to disk.

Runs in the render child. Helm reads an archive into memory, and packed sub-charts inside it as well.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render.chart_schema import NAME, check_schema

_DAMAGED: Final = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError)


class Archives:
    """The packed sub-charts of one chart, counted together."""

    def __init__(self, *, schemas: bool) -> None:
        self._schemas = schemas
        self._entries = 0
        self._bytes = 0

    def check(self, data: bytes, name: str, deep: int = 1) -> None:
        """Raises RenderError unless `data`, called `name`, is a packed chart of plain files within the limits."""
        if deep > limits.CHARTS_DEEP:
            raise RenderError(f"charts are packed more than {limits.CHARTS_DEEP} deep", where=name, code="SS3034")
        try:
            with tarfile.open(fileobj=_Counted(self, data, name), mode="r|") as archive:
                for member in archive:
                    self._member(archive, member, name, deep)
        except _DAMAGED as error:
            raise RenderError(f"a packed chart that cannot be read: {error}", where=name, code="SS3034") from None

    def grown(self, more: int, of: int, packed: int, name: str) -> None:
        """Count `more` unpacked bytes; those of this archive are `of` by now."""
        self._bytes += more
        if self._bytes > limits.CHART_UNPACKED_BYTES:
            bound = limits.CHART_UNPACKED_BYTES // limits.MIB
            raise RenderError(f"packed charts of more than {bound} MiB", where=name, code="SS3031")
        if of > max(limits.FILE_BYTES, limits.CHART_RATIO * packed):
            raise RenderError(f"unpacks to more than {limits.CHART_RATIO} times its size", where=name, code="SS3033")

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, deep: int) -> None:
        self._entries += 1
        where = f"{name}/{member.name}"
        if self._entries > limits.CHART_ENTRIES:
            raise RenderError(f"more than {limits.CHART_ENTRIES} entries", where=name, code="SS3032")
        if fault := _fault(member):
            raise RenderError(fault, where=where, code="SS3034")
        path = PurePosixPath(member.name)
        packed = path.suffix == ".tgz" and path.parent.name == "charts"
        if not member.isreg() or not (packed or (self._schemas and path.name == NAME)):
            return
        if member.size > limits.FILE_BYTES:
            raise RenderError(f"larger than {limits.FILE_BYTES // limits.MIB} MiB", where=where, code="SS3020")
        stream = archive.extractfile(member)
        data = stream.read() if stream else b""
        if packed:
            self.check(data, where, deep + 1)
        else:
            check_schema(data, where)


class _Counted(io.RawIOBase):
    """What an archive unpacks to, each byte of it counted as it is read."""

    def __init__(self, archives: Archives, data: bytes, name: str) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._archives, self._name, self._packed, self._read = archives, name, len(data), 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        data = self._stream.read(size if size >= 0 else limits.CHART_UNPACKED_BYTES)
        self._read += len(data)
        self._archives.grown(len(data), self._read, self._packed, self._name)
        return data


def _fault(member: tarfile.TarInfo) -> str:
    """What is wrong with an entry, or "". No chart needs anything but files and directories below its own."""
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts or "\\" in member.name or "\0" in member.name:
        return "a packed file with a name that leads out of its chart"
    if member.issym() or member.islnk():
        return "a link in a packed chart"
    return "" if (member.isreg() and not member.issparse()) or member.isdir() else "no regular file in a packed chart"
