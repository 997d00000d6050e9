"""Owns what every answer needs: request, snapshot, time, grants, what is known of Git and of users. Must not judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.embedded.parser import Parser, read_json
from reconciler.gpu.users.model import Census
from reconciler.policy.grant import Grant
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.types import Request


def uncounted() -> Census | None:
    """Nobody has looked who uses which GPU class."""
    return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name` is the object's, also where the request has none; `now` is Unix seconds.

    `parse` reads documents inside strings of guarded objects. `census` tells who uses which GPU class, or None where
    nobody knows: it may look at a file, so only what is not simply admitted asks.
    """

    request: Request
    snapshot: SnapshotView
    name: str
    now: float = 0.0
    look: Look = NOT_ASKED
    grants: Sequence[Grant] = ()
    parse: Parser = read_json
    census: Callable[[], Census | None] = uncounted
