"""Owns the envelope of a list of findings, and the digest that tells two lists apart. Must not choose findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.model.own import API_VERSION
from reconciler.report.blind import steady
from reconciler.report.drift import STATES, sha256

# What changes though nothing happened to what is reported (a status is written): not part of the digest.
_VOLATILE: Final = ("lastSeen", "liveResourceVersion")
_VOLATILE_GPU: Final = ("seenAt", "lines")


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One page of findings as JSON objects, and what is needed to know how far to trust it.

    `observed_at` is when the cluster was last compared in full, "" if never; `current_at` up to when all changes since
    are known, `unwatched` why those of some kinds are not. `counts` is over all that matches, not only the page;
    `managed` is the number of guarded objects, `stale` non-empty when the report must not be trusted.
    `hidden`: fields that each rule hid in the last pass, over all objects; `expired`: rules whose day has passed;
    `problems`: what of the desired state is left out or ambiguous; `blind`: when the guard did not see writes.
    """

    items: tuple[Mapping[str, Any], ...]
    generated_at: str
    observed_at: str = ""
    current_at: str = ""
    stale: str = ""
    snapshot: str = ""
    managed: int = 0
    total: int = 0
    counts: Mapping[str, int] | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unwatched: Mapping[str, str] = field(default_factory=dict)
    blind: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the times that move with each pass."""
        items = [_steady(item) for item in self.items]
        rules = [dict(self.hidden), list(self.expired), list(self.problems), dict(self.unwatched)]
        return sha256([items, self.stale, self.snapshot, self.managed, self.total, rules, steady(self.blind)])

    def as_json(self) -> dict[str, Any]:
        """The list envelope."""
        metadata = {
            "generatedAt": self.generated_at,
            "observedAt": self.observed_at,
            "currentAt": self.current_at,
            "stale": bool(self.stale),
            "staleReason": self.stale,
            "snapshot": self.snapshot,
            "digest": self.digest,
            "remainingItemCount": max(0, self.total - len(self.items)),
        }
        counts = Counter(str(item["state"]) for item in self.items) if self.counts is None else self.counts
        summary: dict[str, Any] = {"managed": self.managed, "total": self.total}
        summary |= {"hidden": dict(self.hidden), "expiredRules": list(self.expired), "problems": list(self.problems)}
        summary |= {"unwatched": dict(self.unwatched), "blind": dict(self.blind)}
        summary |= {state: counts.get(state, 0) for state in STATES if state != "in-sync"}
        return {
            "apiVersion": API_VERSION,
            "kind": "DriftList",
            "metadata": metadata,
            "summary": summary,
            "items": [dict(item) for item in self.items],
        }


def _steady(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in _VOLATILE}
    gpu = {key: value for key, value in item.get("gpu", {}).items() if key not in _VOLATILE_GPU}
    return kept | {"gpu": gpu} if gpu else kept
