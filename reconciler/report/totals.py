"""Owns what metrics count: findings by label, and over restarts how often drift began and ended, and how long it took.

Must not store it.

A counter whose series appears with its first event hides that event from `increase()`, so every series is there from
the beginning; the labels are few for that reason.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Final, NamedTuple

from reconciler.report.drift import SEVERITIES, STATES

# Upper bounds in seconds. Times are kept with seconds only, so that nothing finer would be true.
DETECT_BOUNDS: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 3_600.0)
RESOLVE_BOUNDS: Final = (10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0, 2_592_000.0)
# States that are drift: of `unknown` nobody knows.
COUNTED: Final = tuple(state for state in STATES if state not in ("unknown", "in-sync"))


class Counted(NamedTuple):
    """Findings that have the same labels: how many, and since when the oldest."""

    namespace: str
    group: str
    kind: str
    source: str
    state: str
    severity: str
    objects: int
    oldest: str

    def joined(self, other: Counted | None) -> Counted:
        """Both as one, with the labels of this one."""
        if other is None:
            return self
        return self._replace(objects=self.objects + other.objects, oldest=min(self.oldest, other.oldest))


@dataclass(slots=True)
class Spread:
    """A histogram: how many were within each bound, the last for those beyond all, and the sum of all in seconds."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Take in one; a clock that runs ahead of ours makes no negative times."""
        self.counts[bisect_left(self.bounds, max(0.0, seconds))] += 1
        self.total += max(0.0, seconds)

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus counts: each with all below it."""
        names = (*map(str, self.bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


@dataclass(slots=True)
class Totals:
    """Counted up to `seq` of the history, since `begun` (RFC 3339, "" is not yet). Keys are (state, severity)."""

    seq: int = 0
    begun: str = ""
    detected: Counter[tuple[str, str]] = field(default_factory=Counter)
    resolved: Counter[tuple[str, str]] = field(default_factory=Counter)
    detecting: dict[str, Spread] = field(default_factory=lambda: _spreads(DETECT_BOUNDS))
    resolving: dict[str, Spread] = field(default_factory=lambda: _spreads(RESOLVE_BOUNDS))

    def note_detected(self, finding: Mapping[str, Any], at: str) -> None:
        """A finding began `at`. How long that took is known if somebody wrote it since we count."""
        self.detected[_key(finding)] += 1
        written = str((finding.get("attribution") or {}).get("time") or "")
        took = _seconds(written, at)
        if took is not None and self.begun and written >= self.begun:
            self.detecting[_key(finding)[1]].add(took)

    def note_resolved(self, finding: Mapping[str, Any]) -> None:
        """A finding is over: as JSON, with its `resolvedAt`."""
        self.resolved[_key(finding)] += 1
        took = _seconds(str(finding.get("firstSeen", "")), str(finding.get("resolvedAt", "")))
        if took is not None:
            self.resolving[_key(finding)[1]].add(took)

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return {
            "seq": self.seq,
            "begun": self.begun,
            "detected": {"|".join(key): count for key, count in self.detected.items()},
            "resolved": {"|".join(key): count for key, count in self.resolved.items()},
            "detecting": {name: [one.counts, one.total] for name, one in self.detecting.items()},
            "resolving": {name: [one.counts, one.total] for name, one in self.resolving.items()},
        }


def totals_of(stored: Mapping[str, Any]) -> Totals:
    """What `as_json` has written; nothing of what has other bounds now."""
    found = Totals(int(stored.get("seq", 0)), str(stored.get("begun", "")))
    for name, counter in (("detected", found.detected), ("resolved", found.resolved)):
        for key, count in (stored.get(name) or {}).items():
            state, _, severity = key.partition("|")
            counter[(state, severity)] = int(count)
    for name, spreads in (("detecting", found.detecting), ("resolving", found.resolving)):
        for severity, (counts, total) in (stored.get(name) or {}).items():
            one = spreads.get(severity)
            if one is not None and len(counts) == len(one.counts):
                one.counts, one.total = list(counts), float(total)
    return found


def _spreads(bounds: tuple[float, ...]) -> dict[str, Spread]:
    return {severity: Spread(bounds) for severity in SEVERITIES}


def _key(finding: Mapping[str, Any]) -> tuple[str, str]:
    """Labels of few values, whatever a finding of another version says."""
    state, severity = str(finding.get("state", "")), str(finding.get("severity", ""))
    return state if state in COUNTED else "drifted", severity if severity in SEVERITIES else "medium"


def _seconds(since: str, until: str) -> float | None:
    """Between two instants; None where one of them is none: times of managedFields are written by clients."""
    try:
        return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return None
