"""Owns what every answer needs: request, snapshot, time, grants, what is known of Git. Must not judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.policy.grant import Grant
from reconciler.snapshot.model import SnapshotView
from webhook.decision.look import NOT_ASKED, Look
from webhook.decision.types import Request


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name` is the object's, also where the request has none; `now` is Unix seconds."""

    request: Request
    snapshot: SnapshotView
    name: str
    now: float = 0.0
    look: Look = NOT_ASKED
    grants: Sequence[Grant] = ()
