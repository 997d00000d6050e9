"""Owns writing the status of our own objects, by server-side apply, and the Events of what has become of them.

Only what is new is written, at a bounded pace. Must not word a status.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.events import EventSink
from reconciler.cluster.paths import object_path
from reconciler.errors import ApiError, ClusterError
from reconciler.limits import STATUS_TIME_SECONDS, STATUS_WRITES_PER_SECOND
from reconciler.model.own import API_VERSION
from reconciler.model.tree import Tree, dig
from reconciler.report.event import LeverReason, of_lever
from setscrew.incluster.objects import DEFINED_TWICE, INVALID, POLICY, SOURCE, Key, key_of
from setscrew.incluster.statuses import REFUSED, Status, reason_of, without_times
from webhook.registration.kinds import OWN

KINDS: Final = {info.kind: info for info in OWN}
MANAGER: Final = "setscrew"
_APPLY: Final = "application/apply-patch+yaml"
_UNUSABLE: Final = frozenset({INVALID, DEFINED_TWICE, "TooMany"})
_OF_GRANTS: Final[Mapping[str, LeverReason]] = {
    "InForce": "GrantInForce",
    "Ended": "GrantEnded",
    "Revoked": "GrantRevoked",
}
_RIGHT: Final = "the right to patch the status of our own objects is missing: manifests/base/rbac.yaml holds it"


@dataclass(slots=True)
class Writer:
    """`sink` None: no Events. `clock` is in monotonic seconds. For one thread."""

    client: ApiClient
    say: Callable[[str], None]
    sink: EventSink | None = None
    clock: Callable[[], float] = time.monotonic
    _written: dict[Key, float] = field(default_factory=dict)
    _next: float = 0.0
    _failed: str = ""

    def write(self, tree: Tree, status: Status) -> Tree | None:
        """Write the status of an object if it is another than the one that it has; the object as it is then.

        None: nothing was written. Never raises: it is tried again by the next look.
        """
        before, key, now = dig(tree, "status"), key_of(tree), self.clock()
        before = before if isinstance(before, dict) else {}
        if before == status or now < self._next:
            return None
        if without_times(before) == without_times(status) and now < self._written.get(key, 0.0) + STATUS_TIME_SECONDS:
            return None
        self._next = now + 1 / STATUS_WRITES_PER_SECOND
        written = self._apply(tree, status)
        if written is not None:
            self._written[key] = now
            self._tell(tree, before, status)
        return written

    def keep(self, keys: frozenset[Key]) -> None:
        """Forget all objects but these."""
        for key in self._written.keys() - keys:
            del self._written[key]

    def _apply(self, tree: Tree, status: Status) -> Tree | None:
        kind, name = key_of(tree)
        # With its uid an object that was made anew meanwhile does not get the status of the one before.
        metadata = {"name": name, "uid": dig(tree, "metadata", "uid")}
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "status": status}
        try:
            path = f"{object_path(KINDS[kind], '', name)}/status"
            query: dict[str, Any] = {"fieldManager": MANAGER, "force": True}
            found = self.client.request("PATCH", path, body, query, content_type=_APPLY)
        except ApiError as error:
            if error.status not in {404, 409}:
                self._fail(_RIGHT if error.status == 403 else error.message)
            return None
        except ClusterError as error:
            self._fail(error.message)
            return None
        self._failed = ""
        return found

    def _fail(self, why: str) -> None:
        if why != self._failed:
            self.say(f"status is not written: {why}")
        self._failed = why

    def _tell(self, tree: Tree, before: Mapping[str, Any], status: Status) -> None:
        was, now = reason_of(before), reason_of(status)
        reason = _event(key_of(tree)[0], was, now)
        if self.sink is None or reason is None or was == now:
            return
        message = str(dig(status, "conditions")[0]["message"])
        kind, name = key_of(tree)
        uid, generation = str(dig(tree, "metadata", "uid")), dig(tree, "metadata", "generation")
        event = of_lever(reason, kind, name, uid, message, [generation, now, message])
        self.sink.send(event, 1, datetime.now(UTC))


def _event(kind: str, was: str, now: str) -> LeverReason | None:
    """What is told of a change of Ready; the states of a usable source are told with its findings."""
    if now in _UNUSABLE or now == REFUSED:
        return "ConfigurationRefused"
    if was in _UNUSABLE and kind in {SOURCE, POLICY}:
        return "ConfigurationAccepted"
    return _OF_GRANTS.get(now)
