"""Owns what is known of GPU classes in the cluster: for rules as objects, for admission as a published census.

Nothing is watched while nothing that Git declares defines a class. Must not judge, count users, or ask the API server
by itself: the informer does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.informer import Informer, Seen
from reconciler.errors import SetscrewError, place
from reconciler.gpu.users.census import census
from reconciler.gpu.users.model import Census
from reconciler.gpu.users.published import encode
from reconciler.gpu.users.rows import rows_of
from reconciler.gpu.users.shrink import WATCHED, shrink
from reconciler.limits import (
    CENSUS_REFRESH_SECONDS,
    CENSUS_SECONDS,
    CENSUS_SHARE,
    INVENTORY_LOOK_SECONDS,
    INVENTORY_WAIT_SECONDS,
    WATCH_RETRY_SECONDS_MOST,
)
from reconciler.loop.reading import Good
from reconciler.loop.ruling import Live
from reconciler.model.instant import stamp
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Rules
from reconciler.render.embedded_loader import load_embedded
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.private_file import write_private

_GLANCE_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Declared:
    """What decides whether anything is watched: what is enforced, and what sources say."""

    rules: Rules
    snapshot: MemorySnapshot | None
    goods: Mapping[Any, Good]

    def same_as(self, other: Declared | None) -> bool:
        """Whether all of it is what it was."""
        if other is None or self.goods.keys() != other.goods.keys():
            return False
        same = all(good is other.goods[name] for name, good in self.goods.items())
        return same and self.rules is other.rules and self.snapshot is other.snapshot

    @property
    def has_classes(self) -> bool:
        """Whether any object is of a row of the table of GPU classes."""
        return any(rows_of(self.rules, ref, tree, load_embedded) for ref, tree in self._objects())

    def _objects(self) -> Iterator[tuple[ObjectRef, Tree]]:
        entries = self.snapshot.entries if self.snapshot is not None else ()
        yield from ((entry.object.ref, entry.object.want) for entry in entries)
        yield from ((one.ref, one.tree) for good in self.goods.values() for one in good.objects)


@dataclass(slots=True)
class Inventory:
    """`path` is the file that is published; `declared` tells what Git declares now, `say` takes one line.

    `run` is for a thread of its own; any may ask what is `live`.
    """

    client: ApiClient
    discovery: Discovery
    declared: Callable[[], Declared]
    path: Path
    say: Callable[[str], None]
    _informer: Informer[Tree] = field(init=False)
    _declared: Declared | None = None
    _wanted: bool = False
    _asked: float = 0.0
    _patient_until: float = 0.0
    _live: tuple[Seen[Tree] | None, Live] = (None, Live())
    _counted: Seen[Tree] | None = None
    _census: Census | None = None
    _due: float = 0.0
    _stale: float = 0.0
    _told: str = ""
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._informer = Informer(self.client, self.discovery, _kept)

    def live(self) -> Live:
        """What is known now; the same one until something changes."""
        seen = self._informer.seen()
        known, live = self._live
        if seen is not known:
            live = Live(seen.objects, seen.whole)
            self._live = seen, live
        return live

    def prepare(self, news: Collection[Good]) -> None:
        """Have all that is live listed before these are judged, if one defines a class; wait a moment for it.

        Until all has been listed it is one moment for whatever is judged: a kind that does not answer delays once.
        """
        if not self._wanted and not Declared(self.declared().rules, None, dict(enumerate(news))).has_classes:
            return
        until = time.monotonic() + INVENTORY_WAIT_SECONDS
        with self._deciding:
            self._asked = until + CENSUS_REFRESH_SECONDS  # by then sources hold it, or it is judged again
            self._informer.follow(WATCHED)
        self._patient_until = self._patient_until or until
        while (pending := self._informer.seen().pending) and time.monotonic() < self._patient_until:
            time.sleep(_GLANCE_SECONDS)
        if not pending:
            self._patient_until = 0.0

    def run(self, stop: threading.Event) -> None:
        """Watch and publish until `stop` is set."""
        while True:
            # What fails is not counted anew all the time.
            if stop.wait(INVENTORY_LOOK_SECONDS if self._step() else WATCH_RETRY_SECONDS_MOST):
                self._informer.follow(())
                return

    def _step(self) -> bool:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - what nobody foresaw in one object must not end the watching
            why = str(error) if isinstance(error, SetscrewError) else place(error)
            if why != self._told:
                self.say(f"who uses GPU classes is not published anew: {why}")
            self._told = why
            return False
        self._told = ""
        return True

    def _follow(self) -> None:
        now = self.declared()
        if not now.same_as(self._declared):
            self._wanted, self._declared = now.has_classes, now
        with self._deciding:
            wanted = self._wanted or time.monotonic() < self._asked
            self._informer.follow(WATCHED if wanted else ())
        if not self._wanted:
            self._counted = self._census = None
            self.path.unlink(missing_ok=True)
        else:
            self._publish(time.monotonic())

    def _publish(self, now: float) -> None:
        """Count anew where something has changed, and write where the answer is another one, or has become old."""
        seen = self._informer.seen()
        if seen.pending or now < self._due or (seen is self._counted and now < self._stale):
            return
        found, at = self._census, stamp(datetime.now(UTC))
        if found is None or seen is not self._counted:
            found = census(seen.objects, seen.unread, at, load_embedded)
        if self._census is None or now >= self._stale or replace(found, at=self._census.at) != self._census:
            found = replace(found, at=at)
            write_private(self.path, encode(found).decode())
            self._census, self._stale = found, now + CENSUS_REFRESH_SECONDS
        self._counted = seen
        self._due = now + max(CENSUS_SECONDS, (time.monotonic() - now) / CENSUS_SHARE)


def _kept(kind: KindInfo, tree: Tree) -> Tree:
    return shrink(kind.group, kind.kind, tree)
