"""Owns the report as Markdown, for pull requests and chats. Every value stands in a code span: names are hostile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.report.formats import words
from reconciler.report.formats.diff import diff_lines
from reconciler.report.formats.report import Report

_SHOWN_DIFFS = 50


def as_markdown(report: Report) -> Iterator[str]:
    """A table, and below it the differing fields of the first findings."""
    now = str(report.metadata.get("generatedAt", ""))
    yield "# Drift\n\n"
    yield f"As of {code(str(report.metadata.get('observedAt') or 'never'))}.\n\n"
    if caution := words.caution(report.metadata):
        yield f"**Do not rely on this:** {code(caution)}\n\n"
    if not report.texts:
        yield "Nothing found.\n"
        return
    yield "| Severity | Object | State | Since | Who | Owner | Declared in |\n"
    yield "| --- | --- | --- | --- | --- | --- | --- |\n"
    for item in report.items():
        since = words.since(item.get("firstSeen", ""), now)
        cells = (words.object_name(item), words.fields(item), since, words.who(item), words.team(item))
        row = [words.severity(item), *map(code, (*cells, words.place(item)))]
        yield "| " + " | ".join(row) + " |\n"
    if remaining := report.metadata.get("remainingItemCount", 0):
        yield f"\n{remaining} more are not shown.\n"
    for item in list(report.items())[:_SHOWN_DIFFS]:
        yield from ("\n", *fenced("\n".join(diff_lines(item)), "diff"))


def code(text: str) -> str:
    """A code span that holds any text on one line, also in a table; "" for none."""
    if not text:
        return ""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def fenced(text: str, language: str = "") -> Iterator[str]:
    """A code block that no line of `text` can end."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield f"{ticks}{language}\n{text}\n{ticks}\n"
