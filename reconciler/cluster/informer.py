"""Owns what is known of all objects of some kinds, kept up to date by watching. Must not know what a kind is for.

One thread a kind. Kinds come and go with their definitions: one that is not served has no objects, one that cannot be
read is named, never taken for empty.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from reconciler.cluster import collection
from reconciler.cluster.api import ApiClient
from reconciler.cluster.collection import Change, Deleted, Listed, Unread
from reconciler.cluster.discovery import Discovery, GroupVersionKind
from reconciler.errors import place
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

T = TypeVar("T")
GroupKind = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Seen(Generic[T]):
    """What is known at one moment, of `kinds`; the same one until something changes.

    `unread` has the reason by kind (`apps/Deployment`): what is known of it, if anything, is of the past. `pending`
    kinds are being listed for the first time.
    """

    kinds: frozenset[GroupKind] = frozenset()
    objects: Mapping[GroupKind, Mapping[ObjectRef, T]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    pending: frozenset[GroupKind] = frozenset()

    @property
    def whole(self) -> bool:
        """True where what is not among `objects` does not exist."""
        return bool(self.kinds) and not self.unread and not self.pending


@dataclass(slots=True)
class _Known(Generic[T]):
    """What one thread has read of one kind; `shown` is a copy for readers. `ended`: it was not served, by `basis`."""

    info: KindInfo
    basis: object
    objects: dict[ObjectRef, T] = field(default_factory=dict)
    shown: Mapping[ObjectRef, T] | None = None
    unread: str = ""
    listed: bool = False
    ended: bool = False
    heard: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def hear(self) -> None:
        """Nothing was missed so far."""
        self.heard = time.monotonic()

    def moved(self, change: Change[T]) -> Collection[ObjectRef]:
        """What the change is about: of a list, where it differs from what is known."""
        if isinstance(change, Listed):
            both = self.objects.keys() | change.objects.keys()
            return {ref for ref in both if self.objects.get(ref) != change.objects.get(ref)}
        return () if isinstance(change, Unread) else (change.ref,)

    def take(self, change: Change[T]) -> bool:
        """False for what leaves all as it was."""
        if isinstance(change, Unread):
            self.unread, self.heard = change.reason, 0.0
        elif isinstance(change, Listed):
            same = self.listed and not self.unread and change.objects == self.objects
            self.objects, self.unread, self.listed = change.objects, "", True
            if same:
                return False
        elif isinstance(change, Deleted):
            self.objects.pop(change.ref, None)
        elif self.objects.get(change.ref) == change.now:
            return False
        else:
            self.objects[change.ref] = change.now
        self.shown = None
        return True


@dataclass(frozen=True, slots=True)
class Watched:
    """How the watches stand, by kind: why one cannot be read, when each was last seen to be well (monotonic seconds).

    `pending` kinds are being listed, for the first time or since one could not be read. One that is not served is in
    none of them.
    """

    unread: Mapping[GroupKind, str] = field(default_factory=dict)
    heard: Mapping[GroupKind, float] = field(default_factory=dict)
    pending: frozenset[GroupKind] = frozenset()


Told = Callable[[KindInfo, Change[T], Collection[ObjectRef]], None]
"""Takes a change and the refs of which something else is kept now; every deletion, every list. In the kind's thread."""


class Informer(Generic[T]):
    """Keeps of each object what `keep` makes of it, which nobody may write to. Safe to share between threads.

    `keep` is given the kind and the tree; what it gives None of is not kept. A kind that is served no longer is `told`
    as an empty list.
    """

    def __init__(
        self,
        client: ApiClient,
        discovery: Discovery,
        keep: Callable[[KindInfo, Tree], T | None],
        told: Told[T] | None = None,
    ) -> None:
        self._client, self._discovery, self._keep, self._told = client, discovery, keep, told
        self._lock = threading.Lock()
        self._kinds: frozenset[GroupKind] = frozenset()
        self._known: dict[GroupKind, _Known[T]] = {}
        self._refused: Mapping[str, str] = {}
        self._seen: Seen[T] | None = None

    def follow(self, kinds: Collection[GroupKind]) -> None:
        """Follow just these from now on, in the version that the API server prefers; () ends it.

        Called again now and then, it begins with kinds that have come to be served.
        """
        served = self._discovery.kinds()
        preferred = _preferred(served)
        refused = _refused(kinds, preferred, self._discovery.unavailable)
        with self._lock:
            for gone in self._known.keys() - set(kinds):
                self._known.pop(gone).stop.set()
            due = (preferred[kind] for kind in kinds if kind in preferred)
            begun = [self._begin(info, served) for info in due if self._is_due(info, served)]
            if begun or refused != self._refused or self._kinds != frozenset(kinds):
                self._kinds, self._refused, self._seen = frozenset(kinds), refused, None
        for known in begun:
            thread = threading.Thread(target=self._hear, args=(known,), daemon=True, name=known.info.resource)
            with self._named(known):  # there may be too many threads
                thread.start()

    def seen(self) -> Seen[T]:
        """What is known now."""
        with self._lock:
            if self._seen is None:
                self._seen = self._look()
            return self._seen

    def watched(self) -> Watched:
        """How the watches stand now."""
        with self._lock:
            known = {name: one for name, one in self._known.items() if not one.ended}
            unread = {
                (group, kind): why for name, why in self._refused.items() for group, _, kind in [name.partition("/")]
            }
            unread |= {name: one.unread for name, one in known.items() if one.unread}
            pending = frozenset(name for name, one in known.items() if not (one.heard or one.unread))
            return Watched(unread, {name: one.heard for name, one in known.items() if one.heard}, pending)

    def _is_due(self, info: KindInfo, served: object) -> bool:
        known = self._known.get((info.group, info.kind))
        if known is None or known.stop.is_set():
            return True
        if known.ended:  # by a list of kinds that was older than that
            return known.basis is not served
        return (known.info.version, known.info.resource) != (info.version, info.resource)

    def _begin(self, info: KindInfo, served: object) -> _Known[T]:
        name = info.group, info.kind
        if before := self._known.get(name):
            before.stop.set()
        self._known[name] = known = _Known[T](info, served)
        return known

    @contextmanager
    def _named(self, known: _Known[T]) -> Iterator[None]:
        """What ends without a word is as a kind that cannot be read, and begins anew with the next `follow`."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may take what is known for all
            with self._lock:
                known.unread, self._seen = place(error), None
                known.stop.set()

    def _hear(self, known: _Known[T]) -> None:
        with self._named(known):
            self._take_all(known)

    def _take_all(self, known: _Known[T]) -> None:
        keep = partial(self._keep, known.info)
        of_kind = collection.Collection(self._client, known.info, keep, known.stop.wait, known.hear)
        for change in of_kind.changes():
            if not self._take(known, change):
                return
        self._take(known, Listed({}), ended=True)

    def _take(self, known: _Known[T], change: Change[T], *, ended: bool = False) -> bool:
        """False where nobody follows the kind any more."""
        with self._lock:
            if known.stop.is_set():
                return False
            moved, news = known.moved(change), known.take(change)
            known.ended = ended
            if news or ended:
                self._seen = None
        if self._told is not None and (news or isinstance(change, Listed | Deleted)):
            self._told(known.info, change, moved)
        return True

    def _look(self) -> Seen[T]:
        unread, pending, objects = dict(self._refused), set[GroupKind](), {}
        for name, known in self._known.items():
            if known.shown is None:
                known.shown = MappingProxyType(dict(known.objects))
            objects[name] = known.shown
            if known.unread:
                unread[known.info.name] = known.unread
            elif not (known.listed or known.ended):
                pending.add(name)
        return Seen(self._kinds, MappingProxyType(objects), MappingProxyType(unread), frozenset(pending))


def _group_kind(name: str) -> GroupKind:
    group, _, kind = name.partition("/")
    return group, kind


def _preferred(served: Mapping[GroupVersionKind, KindInfo]) -> dict[GroupKind, KindInfo]:
    """Each kind in the first version that discovery names: the one that the API server prefers."""
    found = dict[GroupKind, KindInfo]()
    for (group, _, kind), info in served.items():
        found.setdefault((group, kind), info)
    return found


def _refused(
    kinds: Collection[GroupKind], preferred: Collection[GroupKind], unavailable: Mapping[str, str]
) -> dict[str, str]:
    """Kinds of which nobody knows whether they are served, because the server of their group does not answer."""
    down = {name.rpartition("/")[0]: reason for name, reason in unavailable.items()}
    return {f"{group}/{kind}": down[group] for group, kind in kinds if group in down and (group, kind) not in preferred}
