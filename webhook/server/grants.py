"""Owns the feed of grants: follows the published file of the state directory. Must not judge a grant, nor write.

`decide()` looks at times, so a grant ends without anybody's doing. Whoever can write the state directory can grant;
nobody else can: a file that others may write is not read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import StoreError
from reconciler.policy.grant import Grant
from reconciler.policy.grant_file import load

_LOG = logging.getLogger("setscrew.admission")
_OTHERS_MAY_WRITE = 0o022


class GrantFeed:
    """The published grants. A bad file never replaces a good one; without a file there are none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int, int] | None = None
        self._current: tuple[Grant, ...] = ()
        self.problem = ""

    def current(self) -> Sequence[Grant]:
        """All that may hold."""
        return self._current

    def poll(self) -> None:
        """Look at the file. Never raises: see `problem`."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - called ten times a second
        except OSError:
            self._stamp, self._current, self.problem = None, (), ""
            return
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        if stamp == self._stamp:
            return
        # What is wrong inside stays wrong, so it is read and told once.
        self._stamp, self.problem = stamp, ""
        try:
            self._current = self._read(stat.st_mode)
        except (OSError, StoreError) as error:
            self.problem = error.message if isinstance(error, StoreError) else str(error.strerror)
            _LOG.error("%s: %s; the last good grants stay", self._path.name, self.problem)

    def _read(self, mode: int) -> tuple[Grant, ...]:
        if mode & _OTHERS_MAY_WRITE:
            raise StoreError("others than its owner may write the published grants")
        return load(self._path.read_bytes())
