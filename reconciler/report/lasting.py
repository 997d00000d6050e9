"""Owns what a finding keeps from one look to the next: since when, how often, what has happened to it. Pure.

While nobody knows (`unknown`) nothing has happened: what is found after it is held against what was known before it.
A clock that was set back leaves times that are still to come: what is seen now began now at the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from reconciler.limits import HISTORY_PATHS
from reconciler.report.drift import DriftItem


@dataclass(frozen=True, slots=True)
class Stored:
    """What is remembered of a finding. `known` is the fingerprint of when it last was known, "" if it never was."""

    first_seen: str
    known: str
    occurrences: int = 1


@dataclass(frozen=True, slots=True)
class Lasting:
    """The finding as it is to be stored, and what has happened to it, if anything."""

    item: DriftItem
    known: str
    event: Literal["detected", "changed", ""] = ""


def lasting(item: DriftItem, stored: Stored | None, occurred: int = 0) -> Lasting:
    """The finding with what is remembered of it. `occurred`: how often it had occurred when it was last over."""
    if item.state == "unknown":
        kept = stored or Stored(item.first_seen, "", max(1, occurred))
        began = _earlier(kept.first_seen, item.last_seen)
        return Lasting(replace(item, first_seen=began, occurrences=kept.occurrences), kept.known)
    if stored is None or not stored.known:
        return Lasting(replace(item, occurrences=occurred + 1), item.fingerprint, "detected")
    same = item.fingerprint == stored.known
    occurrences = stored.occurrences + (not same)
    item = replace(item, first_seen=_earlier(stored.first_seen, item.last_seen), occurrences=occurrences)
    return Lasting(item, item.fingerprint, "" if same else "changed")


def event_body(item: DriftItem) -> dict[str, Any]:
    """What the history says of a finding at that moment: who, and which paths, never a value."""
    paths = [change.path for change in item.changes]
    return {
        "who": who(item),
        "confidence": item.attribution.confidence,
        "state": item.state,
        "severity": item.severity,
        "paths": paths[:HISTORY_PATHS],
        "morePaths": max(0, len(paths) - HISTORY_PATHS),
        "fingerprint": item.fingerprint,
    }


def who(item: DriftItem) -> str:
    """Whom the finding names: the user, else the manager."""
    return item.attribution.user or item.attribution.manager


def resolved(body: Mapping[str, Any], at: str) -> dict[str, Any]:
    """A finding as JSON, as it last was, that is over since `at` ("": since it was last seen)."""
    over = at or body["lastSeen"]
    times = {name: _earlier(body[name], over) for name in ("firstSeen", "lastSeen")}
    # One that an earlier version stored has not all members.
    return {"occurrences": 1, **body, **times, "resolvedAt": over}


def _earlier(time: str, bound: str) -> str:
    return min(time, bound) if bound else time
