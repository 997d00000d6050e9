"""Owns how soon an object is corrected again. Pure: the time, in seconds of one clock, is given. Must not count fights.

Each object waits for itself, so that one that somebody keeps changing slows no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.limits import HEAL_WAIT_SECONDS


def wait_after(tries: int) -> float:
    """How long to wait after so many tries, whether they went well or not; 0.0 before the first."""
    return float(HEAL_WAIT_SECONDS[min(tries, len(HEAL_WAIT_SECONDS)) - 1]) if tries else 0.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Of one object: tries since it was at rest, when the last one was, since when it is in sync (None: it is not).

    A correction always ends in sync, in a fight too: only an object that stays so for its whole wait begins anew.
    `wanted` stands for what Git wanted of it when it was last corrected; where that is another, it begins anew at once.
    """

    wanted: str = ""
    tries: int = 0
    last: float = 0.0
    synced: float | None = None

    @property
    def due(self) -> float:
        """When it may be corrected again."""
        return self.last + wait_after(self.tries) if self.tries else float("-inf")

    def tried(self, now: float) -> Backoff:
        """After one more correction, made or failed."""
        return replace(self, tries=self.tries + 1, last=now, synced=None)

    def paused(self) -> Backoff:
        """At its longest wait from now on."""
        return replace(self, tries=len(HEAL_WAIT_SECONDS))

    def rested(self, now: float) -> bool:
        """Whether it has been in sync for its whole wait."""
        return self.synced is not None and now - self.synced >= wait_after(self.tries)

    def in_sync(self, now: float) -> Backoff:
        """Seen as Git says."""
        return self if self.synced is not None else replace(self, synced=now)

    def moved(self, by: float, latest: float) -> Backoff:
        """The same by another clock, which is so many seconds ahead of this one; nothing of it is after `latest`."""
        synced = None if self.synced is None else min(self.synced + by, latest)
        return replace(self, last=min(self.last + by, latest), synced=synced)

    def drifted(self, now: float, wanted: str) -> Backoff:
        """Seen otherwise than `wanted`."""
        if self.rested(now) or wanted != self.wanted:
            return Backoff(wanted)
        return replace(self, synced=None)
