"""Owns how far a reader may trust a page: as of when, and the warnings at its head. Pure; must not read a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.report.blind import blind_lines
from webhook.api.pages import words


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning. `loud`: what the page says may be wrong or incomplete. `page` says more, "" for none."""

    title: str
    lines: tuple[str, ...]
    loud: bool = True
    page: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """What stands at the head of every page."""

    cluster: str
    observed: str
    seconds: int
    managed: int
    snapshot: str
    stale: bool
    warnings: tuple[Notice, ...]


def trust(report: Mapping[str, Any], cluster: str, now: datetime) -> Trust:
    """Out of the envelope of a DriftList."""
    metadata, summary = report["metadata"], report["summary"]
    # Watches keep the report true between two full comparisons.
    observed = max(str(metadata.get(name) or "") for name in ("observedAt", "currentAt"))
    return Trust(
        cluster=cluster,
        observed=observed,
        seconds=words.seconds_since(observed, now) or 0,
        managed=int(summary.get("managed") or 0),
        snapshot=str(metadata.get("snapshot") or ""),
        stale=bool(metadata.get("stale")),
        warnings=tuple(_warnings(metadata, summary)),
    )


def unwatched(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What of the guarded kinds is not seen as it changes, a line each."""
    found = report["summary"].get("unwatched") or report["metadata"].get("unwatched") or ()
    pairs = found.items() if isinstance(found, Mapping) else ((line, "") for line in found)
    return tuple(f"{name}: {why}" if why else str(name) for name, why in pairs)


def _warnings(metadata: Mapping[str, Any], summary: Mapping[str, Any]) -> Iterator[Notice]:
    if metadata.get("stale"):
        reason = str(metadata.get("staleReason") or "")
        page = "sources" if "sources" in reason else "coverage" if metadata.get("observedAt") else ""
        yield Notice("Do not rely on this: it may be out of date", (reason,), page=page)
    blind = summary.get("blind") or {}
    if lines := tuple(blind_lines(blind)):
        open_now = bool(blind.get("open"))
        title = "The guard does not see all writes now" if open_now else "Watch over the guard"
        yield Notice(title, lines, open_now, "coverage")
    if lines := unwatched({"metadata": metadata, "summary": summary}):
        yield Notice("Not all of it is watched", lines, page="coverage")
