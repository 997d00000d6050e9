"""Owns CSV: quoting, and cells that no spreadsheet takes for a formula. Must not know what a row says."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final

# What makes a spreadsheet compute: also after the signs that it skips.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """RFC 4180, a line at a time: CRLF, quoted where needed. Numbers stay numbers."""
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))
    writer.writerow(header)
    for row in rows:
        writer.writerow([neutral(cell) for cell in row])
        if len(lines) >= 100:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def neutral(cell: Any) -> Any:
    """A text that a spreadsheet would run, behind a quote: whoever named the object may be anybody."""
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
