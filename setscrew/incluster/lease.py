"""Owns who may lead, as a value: what the Lease says, and since when by this machine's clock. Pure.

The rules of client-go: nobody's clock but one's own is believed. Whoever does not lead measures how long the record has
stood unchanged; whoever leads stops long before anybody else can have measured a whole lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reconciler.limits import LEASE_DEADLINE_SECONDS, LEASE_SECONDS, LEASE_SECONDS_MOST


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how long a lease holds, and after how long without a renewal its holder stops (less than that)."""

    lease: int = LEASE_SECONDS
    deadline: float = LEASE_DEADLINE_SECONDS


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as it was read: `holder` "" is nobody, `renewed` a text that changes with each renewal, `tree` all of it.

    Two are equal that say the same about who leads: an annotation that somebody adds prolongs no lease.
    """

    holder: str
    seconds: float
    transitions: int
    renewed: str
    tree: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Record:
        """What the API server answered; what somebody wrote wrongly counts as little as possible."""
        spec = tree.get("spec") or {}
        return cls(
            str(spec.get("holderIdentity") or ""),
            min(float(spec.get("leaseDurationSeconds") or 0), LEASE_SECONDS_MOST),
            int(spec.get("leaseTransitions") or 0),
            str(spec.get("renewTime") or ""),
            tree,
        )


@dataclass(frozen=True, slots=True)
class Candidacy:
    """What one replica knows. Times are seconds of its own monotonic clock.

    `record` was first seen as it is at `since`. `renewed` is when the last write of ours that was taken had begun, None
    while we do not lead.
    """

    me: str
    timing: Timing = Timing()
    record: Record | None = None
    since: float = 0.0
    renewed: float | None = None

    def leads(self, now: float) -> bool:
        """Whether we may still act as leader."""
        return self.renewed is not None and now - self.renewed < self.timing.deadline

    def saw(self, record: Record | None, now: float) -> Candidacy:
        """After a reading. A record that another holds ends our lead at once."""
        ours = record is not None and record.holder == self.me
        renewed = self.renewed if ours else None
        if record is not None and record == self.record:
            return replace(self, record=record, renewed=renewed)
        return replace(self, record=record, since=now, renewed=renewed)

    def may_write(self, now: float) -> bool:
        """Whether the Lease is ours to take or to renew, by what was seen last."""
        record = self.record
        if record is None or record.holder in ("", self.me):
            return True
        return now - self.since >= record.seconds

    def wrote(self, record: Record, began: float, now: float) -> Candidacy:
        """After a write that was taken, which was begun at `began`."""
        return replace(self, record=record, since=now, renewed=began)

    def claimed(self, wall: datetime) -> dict[str, Any]:
        """The spec by which we hold it. `wall` is for people: nobody reckons with it."""
        spec = dict((self.record.tree.get("spec") or {}) if self.record else {})
        if self.record is None or self.record.holder != self.me:
            taken = self.record is not None
            spec |= {
                "acquireTime": _micro(wall),
                "leaseTransitions": self.record.transitions + 1 if taken and self.record else 0,
            }
        return spec | {"holderIdentity": self.me, "leaseDurationSeconds": self.timing.lease, "renewTime": _micro(wall)}

    def released(self, wall: datetime) -> dict[str, Any]:
        """The spec by which nobody holds it."""
        spec = dict((self.record.tree.get("spec") or {}) if self.record else {})
        return spec | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro(wall)}


def _micro(wall: datetime) -> str:
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
