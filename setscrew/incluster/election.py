"""Owns the Lease of one replica at the API server: campaigning for it, keeping it, and giving it back.

Must not know what a leader does. `setscrew.incluster.lease` says who may lead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError
from reconciler.limits import LEASE_RENEW_SECONDS, LEASE_RETRY_SECONDS, RESIGN_SECONDS
from reconciler.model.own import LEASE, NAMESPACE
from setscrew.incluster.lease import Candidacy, Record

_COLLECTION: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATH: Final = f"{_COLLECTION}/{LEASE}"
_KIND: Final = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_WATCHED_SECONDS: Final = 0.1
NOT_LEADING: Final = "SS4012"


def _boot_seconds() -> float:
    """Goes on while the machine sleeps, as the clocks of the others do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Election:
    """`client` needs short time-outs, and no `writing` of ours; `say` takes one line for the log."""

    client: ApiClient
    me: str
    say: Callable[[str], None]
    clock: Callable[[], float] = _boot_seconds
    wall: Callable[[], datetime] = _now
    _candidacy: Candidacy = field(init=False)
    _resigned: bool = False
    _under_way: int = 0
    _told: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)
    _renewing: threading.Lock = field(default_factory=threading.Lock)
    _idle: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._candidacy = Candidacy(self.me)

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as was seen; "" where nobody does."""
        return self._candidacy.record.holder if self._candidacy.record else ""

    @property
    def leads(self) -> bool:
        """Whether this replica may act as leader now."""
        return not self._resigned and self._candidacy.leads(self.clock())

    def campaign(self, stop: threading.Event) -> bool:
        """Wait until this replica leads (True), or until `stop` (False)."""
        while not stop.is_set():
            self._turn()
            if self.leads:
                return True
            stop.wait(LEASE_RETRY_SECONDS)
        return False

    def keep(self, lost: Callable[[], object]) -> None:
        """Renew in the background; `lost` is called once, when this replica may not lead any more."""
        for work in (self._renew, lambda: self._guard(lost)):
            threading.Thread(target=work, daemon=True).start()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around each request of the leader that may change something. Raises ClusterError where it does not lead."""
        with self._idle:
            if not self.leads:
                raise ClusterError("this replica does not lead any more", code=NOT_LEADING)
            self._under_way += 1
        try:
            yield
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def resign(self) -> None:
        """Lead no more, and let another lead at once, unless a write is under way that nobody knows the end of."""
        with self._idle:
            if self._resigned:
                return
            self._resigned = True
            idle = self._idle.wait_for(lambda: not self._under_way, RESIGN_SECONDS)
        self._ended.set()
        with self._renewing:
            record = self._candidacy.record
            if not idle or record is None or record.holder != self.me:
                return
            try:
                self.client.request("PUT", _PATH, {**record.tree, "spec": self._candidacy.released(self.wall())})
                self.say("the lease is given back: another replica may lead")
            except ClusterError as error:
                self.say(f"the lease cannot be given back, so it ends by itself: {error}")

    def _renew(self) -> None:
        while not self._ended.wait(LEASE_RENEW_SECONDS if not self._told else LEASE_RETRY_SECONDS):
            with self._renewing:
                if not self._ended.is_set():
                    self._turn()

    def _guard(self, lost: Callable[[], object]) -> None:
        """A request may hang: whether we lead does not wait for it."""
        while self._candidacy.leads(self.clock()):
            if self._ended.wait(_WATCHED_SECONDS):
                return
        lost()

    def _turn(self) -> None:
        """Look, and write if the Lease is ours or to be had."""
        try:
            if not self._candidacy.leads(self.clock()) or self._told:
                self._look()
            if self._candidacy.may_write(self.clock()):
                self._write()
            self._told = ""
        except ApiError as error:
            if error.status in (404, 409):  # somebody was faster, or took it away: it is looked at in the next turn
                self._told = self._told or "conflict"
            else:
                self._tell(error)
        except ClusterError as error:
            self._tell(error)

    def _look(self) -> None:
        try:
            record = Record.of(self.client.request("GET", _PATH))
        except ApiError as error:
            if error.status != 404:
                raise
            record = None
        self._candidacy = self._candidacy.saw(record, self.clock())

    def _write(self) -> None:
        began, record = self.clock(), self._candidacy.record
        spec = self._candidacy.claimed(self.wall())
        if record is None:
            body: dict[str, Any] = {**_KIND, "metadata": {"name": LEASE, "namespace": NAMESPACE}, "spec": spec}
            taken = self.client.request("POST", _COLLECTION, body)
        else:
            taken = self.client.request("PUT", _PATH, {**record.tree, "spec": spec})
        self._candidacy = self._candidacy.wrote(Record.of(taken), began, self.clock())

    def _tell(self, error: ClusterError) -> None:
        if self._told != error.message:
            self.say(f"the lease cannot be had: {error}")
        self._told = error.message
