"""Owns following all objects of one kind: list, watch, resume. Must not know what they are for, nor keep them.

Each object is handed on as what somebody wants to keep of it, page by page, so that a large cluster stays small here. A
gap is never silent: the watch resumes where it broke, or all objects are listed anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reconciler.cluster.api import ApiClient
from reconciler.cluster.decoding import decoded
from reconciler.cluster.paths import collection_path
from reconciler.cluster.refusal import told
from reconciler.errors import ApiError, ClusterError, place
from reconciler.limits import LIST_PAGE_OBJECTS, WATCH_PROBE_SECONDS, WATCH_RETRY_SECONDS, WATCH_SECONDS
from reconciler.limits import WATCH_RETRY_SECONDS_MOST as MOST
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """All objects of the kind: whatever was known before no longer counts."""

    objects: dict[ObjectRef, T]


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """One object, as it is now."""

    ref: ObjectRef
    now: T


@dataclass(frozen=True, slots=True)
class Deleted:
    """One object is gone, or nothing is kept of it."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Unread:
    """What was known is of the past: the kind cannot be read now. It ends with the next `Listed`."""

    reason: str


Change = Listed[T] | Changed[T] | Deleted | Unread


def _unheard() -> None:
    """Nobody asks."""


@dataclass(slots=True)
class Collection(Generic[T]):
    """All objects of `kind` in the cluster; `keep` makes what is kept of a tree, None of one that is none of ours.

    `pause` waits so many seconds; True ends the following. `alive` is called at each sign that nothing was missed so
    far: a list, an event, a bookmark, the end of a watch. For one thread.
    """

    client: ApiClient
    kind: KindInfo
    keep: Callable[[Tree], T | None]
    pause: Callable[[float], bool | None] = time.sleep
    alive: Callable[[], None] = _unheard
    _path: str = field(init=False)
    _version: str = ""
    _unread: str = ""
    _wait: float = WATCH_RETRY_SECONDS

    def __post_init__(self) -> None:
        self._path = collection_path(self.kind)

    def changes(self) -> Iterator[Change[T]]:
        """A list, then each change; ends once the API server does not serve the kind (any more). Never raises."""
        while True:
            try:
                if not self._version:
                    yield self._list()
                    self.alive()
                yield from self._watch()
            except Exception as error:  # noqa: BLE001 - credentials that cannot be read now must not end the watch
                if isinstance(error, ApiError) and error.status == 404:
                    return
                yield from self._failed(error)
            if self.pause(self._wait):
                return
            self._wait = min(2 * self._wait, MOST)

    def _list(self) -> Listed[T]:
        objects, token = dict[ObjectRef, T](), ""
        while True:
            query: dict[str, str | int | bool] = {"limit": LIST_PAGE_OBJECTS} | ({"continue": token} if token else {})
            page = self.client.request("GET", self._path, query=query)
            kept = ((self._ref(tree), self._kept(tree)) for tree in page.get("items") or ())
            objects.update((ref, one) for ref, one in kept if one is not None)
            metadata = page.get("metadata") or {}
            token = str(metadata.get("continue") or "")
            if not token:
                self._version, self._unread = str(metadata.get("resourceVersion") or ""), ""
                return Listed(objects)

    def _watch(self) -> Iterator[Change[T]]:
        """The events of one watch. After a failure a short one proves that it works again, and all is listed anew."""
        query: dict[str, str | int | bool] = {
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._version,
            "timeoutSeconds": WATCH_PROBE_SECONDS if self._unread else WATCH_SECONDS,
        }
        for line in self.client.lines(self._path, query):
            event = decoded(line)
            # An error is nearly always that the version is too old (410); of any other nobody knows what was missed.
            if self._unread or event["type"] == "ERROR":
                self._version = ""
                return
            yield from self._event(event["type"], event["object"])
        self._wait = WATCH_RETRY_SECONDS
        if self._unread:
            self._version = ""
        else:
            self.alive()

    def _event(self, event: str, tree: dict[str, Any]) -> Iterator[Change[T]]:
        if event == "DELETED":
            yield Deleted(self._ref(tree))
        elif event != "BOOKMARK":
            kept = self._kept(tree)
            yield Deleted(self._ref(tree)) if kept is None else Changed(self._ref(tree), kept)
        self._version, self._wait = str(tree["metadata"]["resourceVersion"]), WATCH_RETRY_SECONDS
        self.alive()

    def _failed(self, error: Exception) -> Iterator[Unread]:
        """Told at once where the API server refuses, else where it has lasted."""
        status = error.status if isinstance(error, ApiError) else 0
        if status == 410:
            self._version = ""
        elif (400 <= status < 500 and status != 429) or self._wait >= MOST:
            # Where nobody answered, nobody knows what was missed; where a watch is refused, a list helps nobody.
            self._version = self._version if status else ""
            reason = told(error) if isinstance(error, ClusterError) else place(error)
            if reason != self._unread:
                self._unread = reason
                yield Unread(reason)

    def _ref(self, tree: dict[str, Any]) -> ObjectRef:
        metadata = tree["metadata"]
        return ObjectRef(self.kind.group, self.kind.kind, str(metadata.get("namespace") or ""), str(metadata["name"]))

    def _kept(self, tree: dict[str, Any]) -> T | None:
        """Items of lists name neither apiVersion nor kind, so both are set."""
        return self.keep({**tree, "apiVersion": self.kind.api_version, "kind": self.kind.kind})
