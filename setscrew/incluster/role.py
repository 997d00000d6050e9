"""Owns the label on the own Pod that says whether it leads, by which a Service finds the leader. Must not decide it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError
from reconciler.limits import SHARED_RETRY_SECONDS
from reconciler.model.own import NAMESPACE, ROLE_LABEL

Kind = Literal["leader", "follower"]


@dataclass(slots=True)
class Role:
    """`say` is told once why the label cannot be written, until it is."""

    client: ApiClient
    pod: str
    say: Callable[[str], None]
    _wanted: Kind = "follower"
    _told: str = ""
    _changed: threading.Event = field(default_factory=threading.Event)

    def become(self, kind: Kind) -> None:
        """Say so from now on; safe in any thread, and at once."""
        self._wanted = kind
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        """Write the label at first and at each change, until `stop`."""
        self._changed.set()
        while not stop.is_set():
            if not self._changed.wait(SHARED_RETRY_SECONDS):
                continue
            self._changed.clear()
            if not self._written(self._wanted):
                self._changed.set()
                stop.wait(SHARED_RETRY_SECONDS)

    def _written(self, kind: Kind) -> bool:
        path, body = f"/api/v1/namespaces/{NAMESPACE}/pods/{self.pod}", {"metadata": {"labels": {ROLE_LABEL: kind}}}
        try:
            self.client.request("PATCH", path, body, content_type="application/merge-patch+json")
        except ApiError as error:
            if error.status != 404:
                return self._failed(error)
            self.say(f"there is no Pod {NAMESPACE}/{self.pod}, so no Service can find the leader by its label")
        except ClusterError as error:
            return self._failed(error)
        self._told = ""
        return True

    def _failed(self, error: ClusterError) -> bool:
        if error.message != self._told:
            self.say(f"the Pod cannot be labelled as {self._wanted}: {error}")
        self._told = error.message
        return False
