"""Owns the report as a diff of fields: `-` what Git says, `+` what is there. Must not colour it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.report.formats import words
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line


def as_diff(report: Report) -> Iterator[str]:
    """All findings, one after the other."""
    if caution := words.caution(report.metadata):
        yield f"# do not rely on this: {caution}\n"
    for item in report.items():
        yield "".join(f"{line}\n" for line in diff_lines(item))


def diff_lines(item: Mapping[str, Any]) -> Iterator[str]:
    """One finding: a header, what is to be known, and a part for each field. Each line is printable."""
    place = words.place(item)
    yield f"--- Git: {words.object_name(item)}{f' ({place})' if place else ''}"
    yield f"+++ live: {item['state']}{words.why(item)}"
    yield from (f"# {line}" for line in words.used(item))
    for one in item.get("ignored", ()):
        yield f"# hidden by rule {one_line(one['ignoredBy'])}: {one_line(one['field'])} ({one_line(one['reason'])})"
    for change in item.get("changes", ()):
        yield f"@@ {one_line(change['field'])} @@"
        yield from change_lines(change)


def change_lines(change: Mapping[str, Any]) -> Iterator[str]:
    """One field. Of long texts on both sides only what differs is shown, with its neighbours."""
    desired, live = change.get("desired"), change.get("live")
    if isinstance(desired, str) and isinstance(live, str) and "\n" in desired and "\n" in live:
        lines = difflib.unified_diff(desired.split("\n"), live.split("\n"), lineterm="")
        yield from (line[:1] + one_line(line[1:]) for line in list(lines)[2:])
        return
    for sign, side in (("-", "desired"), ("+", "live")):
        if side in change:
            value = change[side]
            yield from (sign + one_line(line) for line in (value.split("\n") if isinstance(value, str) else (value,)))
