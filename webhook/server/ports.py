"""Owns the interfaces that the admission server is given from outside; must not hold any behaviour."""

from __future__ import annotations

from typing import Protocol

from reconciler.snapshot.model import SnapshotView
from webhook.decision.types import Decision, Request


class SnapshotFeed(Protocol):
    """The newest published snapshot. `current()` is called for each review, `poll()` from one thread at a time."""

    def current(self) -> SnapshotView | None:
        """The snapshot to judge with, or None while there has been none yet."""

    def poll(self) -> object:
        """Look whether a newer one has been published, and swap it in whole."""


class Decide(Protocol):
    """`webhook.decision.decide.decide`."""

    def __call__(
        self, request: Request, snapshot: SnapshotView | None, now: float, *, refreshed: bool = False
    ) -> Decision:
        """Judge one request; pure."""


class Decode(Protocol):
    """`webhook.decision.review.decode`."""

    def __call__(self, body: bytes, /) -> Request:
        """Read one AdmissionReview. Raises ReviewError."""


class Encode(Protocol):
    """`webhook.decision.review.encode`."""

    def __call__(self, uid: str, decision: Decision, /) -> bytes:
        """The AdmissionReview that answers `uid`."""


class Refresh(Protocol):
    """Asks the reconciler to look at Git now."""

    async def __call__(self, seconds: float) -> bool:
        """True when a look that began after this call has ended within `seconds`."""


class Recorder(Protocol):
    """Takes records of decisions; never waits, never raises."""

    def put(self, record: dict[str, object]) -> None:
        """Hand over one record, or count its loss."""


class Clock(Protocol):
    """Reads the time."""

    def __call__(self) -> float:
        """Unix seconds."""
