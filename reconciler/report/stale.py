"""Owns when a report must not be read as the present state. Pure; must not look at a cluster or a clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from reconciler.limits import REPORT_AHEAD_SECONDS, REPORT_CURRENT_SECONDS, REPORT_STALE_SECONDS
from reconciler.model.instant import stamp


def stale_reason(
    observed_at: str,
    now: datetime,
    broken_sources: Sequence[str] = (),
    *,
    current_at: str = "",
    unwatched: Collection[str] = (),
) -> str:
    """Why a report must not be read as the present state; "" when it may. Without a watch, `current_at` is ""."""
    if not observed_at:
        return "the cluster has not been compared yet"
    known = current_at or observed_at
    if known > stamp(now + timedelta(seconds=REPORT_AHEAD_SECONDS)):
        return f"changes are known up to {known}, which is still to come: the clock was set back"
    if observed_at < stamp(now - timedelta(seconds=REPORT_STALE_SECONDS)):
        return f"last compared {observed_at}"
    if current_at and current_at < stamp(now - timedelta(seconds=REPORT_CURRENT_SECONDS)):
        return f"changes are known up to {current_at}"
    if unwatched:
        return "changes are not known of: " + ", ".join(sorted(unwatched)[:10])
    if broken_sources:
        return "sources not ready: " + ", ".join(sorted(broken_sources)[:10])
    return ""
