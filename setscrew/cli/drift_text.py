"""Owns how a drift report reads on a terminal: a table, or a diff. Every value passes through `one_line`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from reconciler.report.blind import blind_lines
from reconciler.report.formats import words
from reconciler.report.formats.diff import diff_lines
from reconciler.report.printable import one_line
from setscrew.cli.table import console, print_rows

_SHOWN_CHANGES = 5
_COLOURS = {"drifted": "yellow", "missing": "red", "extra": "red", "orphaned": "red", "unknown": "magenta"}
_SIGNS = {"@": "cyan", "-": "red", "+": "green", "#": "magenta"}


def print_table(report: dict[str, Any], *, wide: bool = False) -> None:
    """One row an object, what next below."""
    stdout, items = console(), report["items"]
    if not items:
        for line in (_nothing(report), *_blind(report), *_ruled(report)):
            stdout.print(Text(line), soft_wrap=True)
        return
    columns = ("OBJECT", "CHANGE (want → live)", "SINCE", "WHO", "DECLARED IN")
    more = ("SEVERITY", "OWNER", "SOURCE", "COMMIT", "TIMES") if wide else ()
    print_rows((*columns, *more), [_row(item, report["metadata"]) + (_more(item) if wide else []) for item in items])
    for line in (*_what_next(report), *_blind(report), *_watched(items), *_ruled(report)):
        stdout.print(Text(line), soft_wrap=True)


def print_diff(report: dict[str, Any]) -> None:
    """A diff of fields: `-` what Git says, `+` what is there. click strips the colours where there is no terminal."""
    for item in report["items"]:
        for place, line in enumerate(diff_lines(item)):
            # The first two lines are the header, which begins with the same signs.
            click.secho(line, bold=True) if place < 2 else click.secho(line, fg=_SIGNS.get(line[:1]))


def _watched(items: list[dict[str, Any]]) -> Iterator[str]:
    """Which of the sources are only watched, and the way out of that."""
    sources = [item.get("source", {}) for item in items]
    for name in sorted({one["name"] for one in sources if one.get("name") and not one.get("enforced", True)}):
        shown = one_line(name)
        yield f"Source {shown} is watched: nothing of it is refused until `setscrew enforce {shown}`."


def _blind(report: dict[str, Any]) -> Iterator[str]:
    """When the guard did not see writes, and which way to know of that does not work."""
    return blind_lines(report.get("summary", {}).get("blind", {}))


def _ruled(report: dict[str, Any]) -> Iterator[str]:
    """What named rules hid, so that nobody forgets them."""
    summary = report.get("summary", {})
    counts = [f"{rule} {count}" for rule, count in summary.get("hidden", {}).items()]
    if counts:
        yield f"Fields hidden by rules: {', '.join(counts)}."
    yield from summary.get("expiredRules", ())
    yield from (f"Problem: {one_line(problem)}" for problem in summary.get("problems", ()))


def _nothing(report: dict[str, Any]) -> str:
    if report["metadata"].get("stale"):
        return "Nothing found, but that proves nothing: the report is stale."
    return f"No drift. Objects under guard: {report.get('summary', {}).get('managed', 0)}."


def _row(item: dict[str, Any], metadata: dict[str, Any]) -> list[Text]:
    changes = item.get("changes", [])
    lines = [words.changed(change) for change in changes[:_SHOWN_CHANGES]]
    if len(changes) > _SHOWN_CHANGES:
        lines.append(f"… {len(changes) - _SHOWN_CHANGES} more (-o diff)")
    if item["state"] != "drifted":
        lines.insert(0, item["state"] + words.why(item))
    if not item.get("adopted", True):
        lines.append("not adopted: it was there before Git declared it, so changes of it are not refused")
    lines += words.used(item)
    since = words.since(item.get("firstSeen", ""), metadata.get("generatedAt", ""))
    return [
        Text(words.object_name(item), style=_COLOURS.get(item["state"], "")),
        Text("\n".join(lines)),
        # As wide as it may get, so that the table does not move while one looks at it again.
        Text(since.ljust(len("59m ago"))),
        Text(_who(item)),
        Text(words.place(item)),
    ]


def _more(item: dict[str, Any]) -> list[Text]:
    source = item.get("source", {})
    cells = (words.severity(item), words.team(item) or "-", source.get("name", ""), source.get("commit", "")[:12])
    return [*(Text(one_line(cell)) for cell in cells), Text(str(item.get("occurrences", 1)))]


def _who(item: dict[str, Any]) -> str:
    who = words.who(item)
    return f"{who}\nunder grant {one_line(item['grant'])}" if item.get("grant") else who


def _what_next(report: dict[str, Any]) -> list[str]:
    first = report["items"][0]
    namespace = f" -n {one_line(first['namespace'])}" if first.get("namespace") else ""
    explain = f"setscrew explain {one_line(first['kind']).lower()}/{one_line(first['name'])}{namespace}"
    lines = [
        "",
        "What next",
        f"  {explain}   where it is declared, who wrote it last, what a change would be answered",
        "  setscrew drift -o diff   all fields, wanted against live",
        "To keep a change, commit it to Git; to undo it, apply what Git says: that is always allowed.",
    ]
    remaining = report["metadata"].get("remainingItemCount", 0)
    return [*lines, f"{remaining} more findings are not shown: raise --limit, or filter."] if remaining else lines
