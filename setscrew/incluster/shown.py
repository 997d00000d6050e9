"""Owns the note on the own Pod that says with which snapshot it judges, by which doctor compares replicas.

Must not choose the snapshot, nor open it: what is current is what the pointer in the state directory names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.limits import SHARED_RETRY_SECONDS
from reconciler.model.own import NAMESPACE, SNAPSHOT_NOTE
from reconciler.store.snapshot_file import POINTER
from webhook.server.digest import pointed

_SNAPSHOTS: Final = "snapshots"


@dataclass(slots=True)
class Shown:
    """`say` is told once why the note cannot be written, until it is."""

    client: ApiClient
    pod: str
    state_dir: Path
    say: Callable[[str], None]
    _written: str = ""
    _told: str = ""

    def run(self, stop: threading.Event) -> None:
        """Write the digest at first and at each change, until `stop`."""
        while not stop.wait(SHARED_RETRY_SECONDS):
            self.look()

    def look(self) -> None:
        """Write the digest if it is another than was written last. Never raises."""
        digest = ""
        with suppress(OSError, ValueError, LookupError, TypeError):
            _, digest = pointed(self.state_dir / _SNAPSHOTS / POINTER)
        if not digest or digest == self._written:
            return
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{self.pod}"
        body = {"metadata": {"annotations": {SNAPSHOT_NOTE: digest}}}
        try:
            self.client.request("PATCH", path, body, content_type="application/merge-patch+json")
        except ClusterError as error:
            if error.message != self._told:
                self.say(f"the Pod cannot say which snapshot it has: {error}")
            self._told = error.message
            return
        self._written, self._told = digest, ""
