"""Owns the interfaces that the admission server is given from outside; must not hold any behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.policy.grant import Grant
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
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
        self,
        request: Request,
        snapshot: SnapshotView | None,
        now: float,
        *,
        look: Look = NOT_ASKED,
        grants: Sequence[Grant] = (),
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

    async def __call__(self, seconds: float, source: str = "") -> Look:
        """What a look at a source ("": all) that began after this call has seen within `seconds`."""


class Grants(Protocol):
    """The grants of the installation, as far as they are published."""

    def __call__(self) -> Sequence[Grant]:
        """All that may hold now; `decide()` looks at their times."""


class Recorder(Protocol):
    """Takes records of decisions; never waits, never raises."""

    def put(self, record: dict[str, object]) -> None:
        """Hand over one record, or count its loss."""


class Clock(Protocol):
    """Reads the time."""

    def __call__(self) -> float:
        """Unix seconds."""
