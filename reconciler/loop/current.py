"""Owns noting up to when all changes are known. Must not watch, nor judge what is stale."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconciler.cluster.informer import GroupKind, Watched
from reconciler.limits import DETECT_NOTE_SECONDS
from reconciler.model.instant import stamp
from reconciler.store.state import State
from reconciler.store.watched import Watch, read_watch, save_watch


@dataclass(slots=True)
class Current:
    """What was noted last, by this process or by one before it: that stays until more is known."""

    state: State
    _noted: float = 0.0
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = read_watch(self.state)

    def note(self, watches: Watched, unseen: float, *, whole: bool) -> None:
        """Note up to when all is known: what no watch has told until then has not happened.

        `unseen`: since when (monotonic seconds) something is to be looked at. `whole`: all was compared once.
        """
        now = time.monotonic()
        if now < self._noted + DETECT_NOTE_SECONDS:
            return
        self._noted = now
        signs = [at for kind, at in watches.heard.items() if kind not in watches.unread]
        current = stamp(datetime.now(UTC) - timedelta(seconds=now - min([unseen, *signs])))
        if watches.pending or not whole:
            current = self._watch.current_at
        watch = Watch(current, {name_of(kind): why for kind, why in sorted(watches.unread.items())})
        if watch != self._watch:
            save_watch(self.state, watch)
            self._watch = watch


def name_of(kind: GroupKind) -> str:
    """As people write it: `apps/Deployment`."""
    return "/".join(filter(None, kind))
