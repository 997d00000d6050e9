"""Owns the bodies of requests as they come, and how many bytes of them one worker holds. Must not know HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from reconciler.errors import ReviewError
from reconciler.limits import KIB, REVIEW_HELD_BYTES, REVIEW_THREAD_BYTES, REVIEW_WIRE_BYTES
from webhook.decision.review import TOO_LARGE

# Of a body that cannot be held: enough to find the uid that a refusal needs.
KEPT_BYTES: Final = KIB
_KEPT_PARTS: Final = 64


class OverloadedError(Exception):
    """This worker holds as many bytes of big bodies as it may."""


@dataclass(slots=True)
class BodyBudget:
    """Bytes of big bodies that one worker may still hold: many slow senders cannot fill the memory.

    `shares`: requests in hand, from their head to their answer.
    """

    left: int = REVIEW_HELD_BYTES
    shares: int = 0

    def share(self) -> BodyShare:
        """The part of one request, given back once it is answered."""
        self.shares += 1
        return BodyShare(self)


@dataclass(slots=True)
class BodyShare:
    """What one request takes of the budget. Bodies that are judged at once take no bytes."""

    budget: BodyBudget
    held: int = 0
    _ended: bool = False

    def grow(self, size: int) -> None:
        """The body has reached `size` bytes. Raises OverloadedError."""
        if size <= REVIEW_THREAD_BYTES:
            return
        more = size - self.held
        if more > self.budget.left:
            raise OverloadedError
        self.budget.left -= more
        self.held = size

    def drop(self) -> None:
        """Nothing is held any more."""
        self.budget.left += self.held
        self.held = 0

    def give_back(self) -> None:
        """The request is answered, or its client gone; a second time changes nothing."""
        self.drop()
        self.budget.shares -= not self._ended
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


@dataclass(slots=True)
class Body:
    """The body of one request as far as it has come, `size` in bytes.

    `dropped`: it could not be held, and only its beginning was kept. The rest is let pass, since a client that is still
    sending does not look for an answer.
    """

    share: BodyShare
    size: int = 0
    dropped: bool = False
    _parts: list[bytes] = field(default_factory=list)

    def take(self, part: bytes) -> None:
        """The next bytes. Raises ReviewError 413 as soon as there are too many."""
        self.size += len(part)
        if self.size > REVIEW_WIRE_BYTES:
            raise too_large()
        if self.dropped:
            return
        self._parts.append(part)
        try:
            self.share.grow(self.size)
        except OverloadedError:
            self.share.drop()
            self.dropped = True
            self._parts = [b"".join(self._parts[:_KEPT_PARTS])[:KEPT_BYTES]]

    def joined(self) -> bytes:
        """What was kept of it, joined once."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


def too_large() -> ReviewError:
    """Why a body is not read."""
    return ReviewError(f"the body is larger than {REVIEW_WIRE_BYTES} bytes", status=413, code=TOO_LARGE)
