"""Owns asking the current snapshot of a state directory what Git wants of an object. Must not decide anything by it."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from reconciler.errors import StoreError
from reconciler.model.ref import ObjectRef
from reconciler.report.resource import Wanted
from webhook.server.feed import Feed

NOTHING_PUBLISHED: Final = Wanted(problem="there is no snapshot yet")
_UNREADABLE: Final = "the snapshot cannot be read"


@dataclass(slots=True)
class Declared:
    """The snapshot that is enforced now, read when somebody asks. For several threads."""

    feed: Feed
    _one: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, state_dir: Path) -> Declared:
        """That of a state directory; where it stands is all that is looked at now."""
        return cls(Feed(state_dir / "snapshots" / "current.json"))

    def find(self, ref: ObjectRef) -> Wanted:
        """What Git wants of the object. Never raises: why nothing can be told stands in `problem`."""
        with self._one:
            self.feed.poll()
            snapshot, problem = self.feed.current(), self.feed.problem
        if snapshot is None:
            return Wanted(problem=_UNREADABLE) if problem else NOTHING_PUBLISHED
        if problem:
            return Wanted(problem=_UNREADABLE)
        try:
            entry = snapshot.by_ref(ref)
        except (StoreError, sqlite3.Error, msgspec.MsgspecError, LookupError):
            return Wanted(problem=_UNREADABLE)
        source = snapshot.sources.get(entry.source) if entry is not None else None
        return Wanted(snapshot.digest, entry, source)
