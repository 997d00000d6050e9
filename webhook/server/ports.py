"""Owns the interfaces that the admission server is given from outside; must not hold any behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.gpu.users.model import Census
from reconciler.policy.grant import Grant
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.types import Decision, Request
from webhook.decision.verdict import uncounted


class SnapshotFeed(Protocol):
    """The newest published snapshot. `current()` is called for each review, `poll()` from one thread at a time."""

    def current(self) -> SnapshotView | None:
        """The snapshot to judge with, or None while there has been none yet."""

    def poll(self) -> object:
        """Look whether a newer one has been published, and swap it in whole."""


class FollowedFeed(SnapshotFeed, Protocol):
    """A feed that tells of itself.

    `published` is the time of the snapshot in use, in Unix seconds; `problem` says why a newer one is not in use.
    """

    published: float
    problem: str


class Counted(Protocol):
    """Who uses which GPU class, as far as it is published."""

    def __call__(self) -> Census | None:
        """The newest census; None where there is none. May look at a file, so only those ask who need it."""


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
        census: Counted = uncounted,
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


class Meter(Protocol):
    """Counts what a worker does; called on the loop and in threads, never waits, never raises."""

    def decided(self, decision: Decision, seconds: float) -> None:
        """One review was answered with `decision`, `seconds` after it was read."""

    def replied(self, status: int) -> None:
        """One request to a review path got this HTTP status and no decision."""


class Clock(Protocol):
    """Reads the time."""

    def __call__(self) -> float:
        """Unix seconds."""
