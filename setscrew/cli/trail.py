"""Owns what the commands share that read the record of decisions: times, a decision as a row. Must not read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from reconciler.model.instant import stamp_milliseconds
from reconciler.model.quantity import nanoseconds
from reconciler.report.rehearsal import object_of
from reconciler.store.decisions import CUT, GAP
from setscrew.cli.table import print_rows

_PATHS_SHOWN: Final = 3


class Since(click.ParamType[str]):
    """`7d`, `36h`, `1d12h`, or a time (RFC 3339, a date): the instant in UTC, written as records write theirs."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See the class; fails as click's own types do."""
        try:
            return stamp_milliseconds(_ago(value) or datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time, such as 7d, 36h or 2027-01-31T22:30:00Z", param, ctx)


def _ago(text: str) -> datetime | None:
    """So long before now; None if it is no length."""
    days, mark, rest = text.partition("d") if "d" in text else ("0", "", text)
    length = nanoseconds(rest) if rest or not mark else 0
    if not days.isdecimal() or length is None or length < 0:
        return None
    return datetime.now(UTC) - timedelta(days=int(days), seconds=float(length) / 10**9)


def print_decisions(decisions: Iterable[Mapping[str, Any]]) -> None:
    """A row each, as they come."""
    print_rows(("TIME", "WHO", "WHAT", "OBJECT", "ANSWER", "PATHS (before → asked for)"), map(_row, decisions))


def _row(decision: Mapping[str, Any]) -> tuple[str | list[str], ...]:
    time, code = str(decision.get("time", "")), str(decision.get("code", ""))
    if code in (GAP, CUT):
        return (time, "", "", f"{decision.get('lost')} records are missing here", code, str(decision.get("reason", "")))
    what = "/".join(filter(None, (str(decision.get("operation", "")), str(decision.get("subresource", "")))))
    reason = f"{code}, else {decision['would']}" if decision.get("would") else code
    answer = f"{'allowed' if decision.get('allowed') else 'refused'}: {reason}"
    return time, str(decision.get("user", "")), what, object_of(decision), answer, _paths(decision.get("paths"))


def _paths(paths: Any) -> list[str]:
    found = [one for one in paths if isinstance(one, dict)] if isinstance(paths, list) else []
    shown = [f"{one.get('path')}: {one.get('was')} → {one.get('now')}" for one in found[:_PATHS_SHOWN]]
    return [*shown, f"… {len(found) - _PATHS_SHOWN} more"] if len(found) > _PATHS_SHOWN else shown
