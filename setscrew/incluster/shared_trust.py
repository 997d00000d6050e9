"""Owns whom the API server is to trust where others renew certificates: what all replicas serve by, together.

Replicas see new files at different times. So each shares the authorities that it needs, under the name of its Pod; the
leader has all of them registered, and shares what the API server has taken: no replica serves by an authority before
that. Must not read the files themselves: `webhook.tls.given` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import encoded, read_keys
from reconciler.errors import ApiError, StoreError
from reconciler.model.own import NAMESPACE, TLS_SECRET
from setscrew.incluster.keys import shared
from setscrew.incluster.shared_tls import COLLECTION
from setscrew.incluster.steps import Steps
from webhook.tls import disk
from webhook.tls.authority import read_bundle, write_bundle
from webhook.tls.disk import Content
from webhook.tls.given import REGISTERED

_OFFER: Final = "given."
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_ENDED: Final = ("Succeeded", "Failed")


@dataclass(slots=True)
class SharedTrust:
    """`pod` is the replica's name, `directory` holds its files. What fails is said once, by `steps`."""

    client: ApiClient
    pod: str
    directory: Path
    steps: Steps
    _held: Mapping[str, bytes] = field(default_factory=dict)
    _taken: bytes = b""

    def follow(self, stop: threading.Event) -> None:
        """Know what is shared, at first and at each change, until `stop`."""
        self._watch(stop, self.look)

    def lead(self, stop: threading.Event) -> None:
        """The same, and let go what replicas have shared that are no more."""
        self._watch(stop, self._tidied)

    def look(self) -> None:
        """Know what is shared, and tell the admission server what is registered. Raises ClusterError, StoreError."""
        held = read_keys(self.client, "Secret", NAMESPACE, TLS_SECRET) or {}
        registered, path = held.get(REGISTERED), self.directory / REGISTERED
        try:
            if registered and registered != disk.read(path):
                with disk.alone(self.directory):
                    disk.write({path: Content(registered)})
        except OSError as error:
            raise StoreError(f"certificates cannot be kept: {error.strerror}", where=str(path), code="SS6005") from None
        self._held = held

    def share(self, bundle: bytes) -> bytes:
        """Share that this replica needs `bundle`; the bundle that all replicas need, as far as is known. Never raises.

        What was registered is shared together with that: who relies on it finds the need of this replica, too.
        """
        due = {_OFFER + self.pod: bundle, **({REGISTERED: self._taken} if self._taken else {})}
        changed = {name: one for name, one in due.items() if one != self._held.get(name)}
        self.steps.step("certificates of all replicas", lambda: self._put(changed))
        own = read_bundle(bundle)
        offers = [one for name, one in sorted(self._held.items()) if name.startswith(_OFFER)]
        others = dict.fromkeys(one for offer in offers for one in read_bundle(offer) if one not in own)
        return bundle + write_bundle(others)

    def registered(self, bundle: bytes) -> None:
        """The API server trusts all of `bundle` by now: told with the next `share`."""
        self._taken = bundle

    def _watch(self, stop: threading.Event, act: Callable[[], None]) -> None:
        self.steps.stop = stop
        self.steps.watch(COLLECTION, TLS_SECRET, "certificate", act)

    def _tidied(self) -> None:
        self.look()
        there = {
            _OFFER + str(pod["metadata"]["name"])
            for pod in self.client.request("GET", _PODS).get("items") or ()
            if (pod.get("status") or {}).get("phase") not in _ENDED
        }
        offers = {name for name in self._held if name.startswith(_OFFER)}
        self._put(dict.fromkeys(offers - there - {_OFFER + self.pod}))

    def _put(self, data: Mapping[str, bytes | None]) -> None:
        """None takes a key away."""
        if not data:
            return
        body: dict[str, Any] = {"data": {name: encoded(one) if one else None for name, one in data.items()}}
        try:
            merge = "application/merge-patch+json"
            self.client.request("PATCH", f"{COLLECTION}/{TLS_SECRET}", body, content_type=merge)
        except ApiError as error:
            if error.status != 404:
                raise
            body = shared("Secret", TLS_SECRET, {name: one for name, one in data.items() if one})
            self.client.request("POST", COLLECTION, body)
        held = {**self._held, **data}
        self._held = {name: one for name, one in held.items() if one}
