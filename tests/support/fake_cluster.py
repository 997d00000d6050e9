"""Owns a cluster made of answers, for unit tests of what watches one: discovery and API server in one. No sockets."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import ApiError
from reconciler.model.ref import KindInfo


@dataclass
class FakeCluster:
    """What is served, what objects are in it by resource, what fails, and the events of the watch of each resource."""

    served: list[KindInfo]
    unavailable: dict[str, str] = field(default_factory=dict)
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    events: dict[str, queue.Queue[bytes]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Discovery is read again."""
        self._kinds = {(kind.group, kind.version, kind.kind): kind for kind in self.served}

    def kinds(self) -> Any:
        return self._kinds

    def request(self, _: str, path: str, *, query: Any) -> Any:
        assert query["limit"] > 0
        resource = path.rpartition("/")[2]
        if resource not in {kind.resource for kind in self.served}:
            raise ApiError("not found", status=404)
        if error := self.broken.get(resource):
            raise error
        self.begun.append(path)
        return {"items": self.objects.get(resource, []), "metadata": {"resourceVersion": "1"}}

    def lines(self, path: str, _: Any) -> Iterator[bytes]:
        yield self.events.setdefault(path.rpartition("/")[2], queue.Queue()).get()

    def tell(self, resource: str, event: str, tree: dict[str, Any]) -> None:
        """An event of the watch."""
        line = json.dumps({"type": event, "object": tree}).encode()
        self.events.setdefault(resource, queue.Queue()).put(line)


def named(*names: str, namespace: str = "") -> list[dict[str, Any]]:
    """Objects with nothing but a name."""
    where = {"namespace": namespace} if namespace else {}
    return [{"metadata": {"name": name, "resourceVersion": "2", **where}} for name in names]
