"""Owns the table of figures beside what is wanted of them. Must not measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from support.machine import description
from support.page import commit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `must` is the most that is wanted, in the same unit, None where nothing is."""

    what: str
    value: float
    unit: str
    must: float | None = None

    def __str__(self) -> str:
        wanted = "" if self.must is None else f"≤ {self.must:g}"
        verdict = "" if self.must is None else "met" if self.value <= self.must else "**missed**"
        return f"| {self.what} ({self.unit}) | {wanted} | {self.value:,.2f} | {verdict} |"


def wanted(rows: Iterable[Row]) -> str:
    """Machine, day, commit and the table, as Markdown."""
    lines = ["| figure | must | found | |", "| --- | --: | --: | --- |", *map(str, rows)]
    return f"{description()}. {datetime.now(UTC):%d %B %Y}, commit {commit()}.\n\n" + "\n".join(lines) + "\n"
