"""Owns writing Kubernetes Events: one of each name, and its series when it happens again. Must not decide what is told.

An Event is best effort: what cannot be written is dropped, and said once for as long as that lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path, object_path
from reconciler.errors import ApiError, ClusterError
from reconciler.limits import EVENT_SECONDS
from reconciler.model.instant import stamp_microseconds
from reconciler.model.ref import KindInfo, split_api_version
from reconciler.model.tree import dig
from reconciler.report.event import ClusterEvent

_EVENTS: Final = KindInfo("events.k8s.io", "v1", "Event", "events", namespaced=True)
_MERGE: Final = "application/merge-patch+json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# Refusals that are about this Event alone: its namespace is gone or ends, or its object's name is none.
_OWN: Final = frozenset({400, 404, 409, 422})
_RIGHT: Final = "the right to create and patch events is missing: manifests/events holds it; or run with --no-events"


@dataclass(slots=True)
class EventSink:
    """Writes Events as `client`; `instance` names this process, `say` is given one line when writing begins to fail."""

    client: ApiClient
    instance: str
    say: Callable[[str], None]
    _failed: str = ""

    def send(self, event: ClusterEvent, count: int, at: datetime) -> None:
        """Write an Event that happened `count` times up to `at`. Never raises."""
        try:
            self._write(event, count, at)
            self._failed = ""
        except ApiError as error:
            if error.status not in _OWN:
                self._fail(_RIGHT if error.status == 403 else error.message)
        except ClusterError as error:
            self._fail(error.message)

    def _fail(self, why: str) -> None:
        if why != self._failed:
            self.say(f"Kubernetes Events are not written: {why}")
        self._failed = why

    def _write(self, event: ClusterEvent, count: int, at: datetime) -> None:
        body = event.as_json(self.instance, at)
        if uid := event.regarding.uid or self._uid(event):
            body["regarding"]["uid"] = uid
        if count > 1:
            body["series"] = _series(count, at)
        try:
            self.client.request("POST", collection_path(_EVENTS, event.namespace), body)
        except ApiError as error:
            if error.status != 409:
                raise
            self._again(event, count, at)

    def _again(self, event: ClusterEvent, count: int, at: datetime) -> None:
        """It was told before, by this process or one before it: its series goes on, once an hour."""
        path = object_path(_EVENTS, event.namespace, event.name)
        known = self.client.request("GET", path)
        series = known.get("series") or {}
        last = _instant(series.get("lastObservedTime") or known.get("eventTime"))
        if last is None or (at - last).total_seconds() >= EVENT_SECONDS or count > 1:
            told = _series(int(series.get("count") or 1) + count, at)
            self.client.request("PATCH", path, {"series": told}, content_type=_MERGE)

    def _uid(self, event: ClusterEvent) -> str:
        """The uid of an object that only its name is known of: `kubectl describe` finds its Events by it."""
        about = event.regarding
        if not about.resource:
            return ""
        group, version = split_api_version(about.api_version)
        kind = KindInfo(group, version, about.kind, about.resource, namespaced=bool(about.namespace))
        try:
            found = self.client.send("GET", object_path(kind, about.namespace, about.name), accept=_METADATA)
        except ApiError:
            return ""
        uid = dig(found.body, "metadata", "uid")
        return uid if isinstance(uid, str) else ""


def _series(count: int, at: datetime) -> dict[str, Any]:
    return {"count": max(2, count), "lastObservedTime": stamp_microseconds(at)}


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
