"""Owns the feed of who uses which GPU class: reads the published file when somebody asks. Must not count, nor write.

Only refusals and warnings ask, so nothing of it is read for what is simply admitted. It is for people's eyes: a file
that is damaged, or that others may write, is as good as none, and then nobody says that a class has no users.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reconciler.errors import StoreError
from reconciler.gpu.users.model import Census
from reconciler.gpu.users.published import decode
from reconciler.limits import CENSUS_FILE_BYTES, CENSUS_REFRESH_SECONDS, REVIEW_THREAD_BYTES
from webhook.server.documents import TooBigForLoopError, on_loop

_LOG = logging.getLogger("setscrew.admission")
_OTHERS_MAY_WRITE = 0o022
_OLD_SECONDS = 5 * CENSUS_REFRESH_SECONDS
_Stamp = tuple[int, int, int, int]


class CensusFeed:
    """The published census; `clock` gives Unix seconds. Several threads may ask: each reads for itself what is new."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._read: tuple[_Stamp | None, Census | None] = None, None

    def current(self) -> Census | None:
        """The census of the file as it is now; None where there is none that can be read. An old one says so.

        Raises TooBigForLoopError on a loop, for a new one that would hold it up.
        """
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - asked by each refusal that concerns a GPU class
        except OSError:
            return None
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        known, census = self._read
        if stamp != known:
            if stat.st_size > REVIEW_THREAD_BYTES and on_loop():
                raise TooBigForLoopError
            # What is wrong inside stays wrong, so it is read and told once.
            census = self._load()
            self._read = stamp, census
        is_old = self._clock() - stat.st_mtime > _OLD_SECONDS
        return _of_the_past(census) if census is not None and is_old else census

    def _load(self) -> Census | None:
        try:
            return decode(self._bytes())
        except (OSError, StoreError) as error:
            problem = error.message if isinstance(error, StoreError) else str(error.strerror)
            _LOG.error("%s: %s; who uses a GPU class is not told", self._path.name, problem)
            return None

    def _bytes(self) -> bytes:
        with self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS_MAY_WRITE:
                raise StoreError("others than its owner may write the published census of GPU users")
            return file.read(CENSUS_FILE_BYTES + 1)


def _of_the_past(census: Census) -> Census:
    """Whoever counted has ended, or cannot write: users may have come since."""
    return replace(census, unseen={**census.unseen, "*": f"nobody has counted since {census.at}"})
