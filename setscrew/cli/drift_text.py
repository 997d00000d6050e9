"""Owns how a drift report reads on a terminal: a table, or a diff. Every value passes through `one_line`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from reconciler.report.blind import blind_lines
from reconciler.report.printable import one_line
from setscrew.cli.table import console, print_rows

_SHOWN_CHANGES = 5
_VALUE_CHARS = 60
_COLOURS = {"drifted": "yellow", "missing": "red", "extra": "red", "unknown": "magenta"}


def print_table(report: dict[str, Any]) -> None:
    """One row an object, what next below."""
    stdout, items = console(), report["items"]
    if not items:
        for line in (_nothing(report), *_blind(report), *_ruled(report)):
            stdout.print(Text(line), soft_wrap=True)
        return
    columns = ("OBJECT", "CHANGE (want → live)", "SINCE", "WHO", "DECLARED IN")
    print_rows(columns, [_row(item, report["metadata"]) for item in items])
    for line in (*_what_next(report), *_blind(report), *_watched(items), *_ruled(report)):
        stdout.print(Text(line), soft_wrap=True)


def print_diff(report: dict[str, Any]) -> None:
    """A diff of fields: `-` what Git says, `+` what is there. click strips the colours where there is no terminal."""
    for item in report["items"]:
        place = _place(item)
        click.secho(f"--- Git: {_object(item)}{f' ({place})' if place else ''}", bold=True)
        click.secho(f"+++ live: {item['state']}{_why(item)}", bold=True)
        for line in _used(item):
            click.secho(f"# {line}", fg="magenta")
        for change in item.get("changes", ()):
            click.secho(f"@@ {one_line(change['field'])} @@", fg="cyan")
            if "desired" in change:
                click.secho(_prefixed("-", change["desired"]), fg="red")
            if "live" in change:
                click.secho(_prefixed("+", change["live"]), fg="green")


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
    lines = [_change(change) for change in changes[:_SHOWN_CHANGES]]
    if len(changes) > _SHOWN_CHANGES:
        lines.append(f"… {len(changes) - _SHOWN_CHANGES} more (-o diff)")
    if item["state"] != "drifted":
        lines.insert(0, item["state"] + _why(item))
    if not item.get("adopted", True):
        lines.append("not adopted: it was there before Git declared it, so changes of it are not refused")
    lines += _used(item)
    return [
        Text(_object(item), style=_COLOURS.get(item["state"], "")),
        Text("\n".join(lines)),
        # As wide as it may get, so that the table does not move while one looks at it again.
        Text(_since(item.get("firstSeen", ""), metadata.get("generatedAt", "")).ljust(len("59m ago"))),
        Text(_who(item)),
        Text(_place(item)),
    ]


def _used(item: dict[str, Any]) -> list[str]:
    """Who uses the GPU class that differs, and when the difference acts."""
    return [one_line(line) for line in item.get("gpu", {}).get("lines", ())]


def _object(item: dict[str, Any]) -> str:
    name = f"{item['namespace']}/{item['name']}" if item.get("namespace") else item["name"]
    return one_line(f"{item['kind']} {name}")


def _why(item: dict[str, Any]) -> str:
    return f": {one_line(item['reason'])}" if item.get("reason") and item["state"] != "drifted" else ""


def _change(change: dict[str, Any]) -> str:
    return f"{one_line(change['field'])}: {_value(change, 'desired')} → {_value(change, 'live')}"


def _value(change: dict[str, Any], side: str) -> str:
    if side not in change:
        return "(none)"
    text = one_line(change[side])
    return text if len(text) <= _VALUE_CHARS else text[:_VALUE_CHARS] + "…"


def _since(first_seen: str, now: str) -> str:
    try:
        seconds = int((datetime.fromisoformat(now) - datetime.fromisoformat(first_seen)).total_seconds())
    except ValueError:
        return first_seen
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{max(0, seconds)}s ago"


def _who(item: dict[str, Any]) -> str:
    attribution = item.get("attribution", {})
    who = one_line(attribution.get("user") or attribution.get("manager") or "not known")
    return f"{who}\nunder grant {one_line(item['grant'])}" if item.get("grant") else who


def _place(item: dict[str, Any]) -> str:
    source = item.get("source", {})
    file = one_line(source.get("file", ""))
    line = f":{source['line']}" if source.get("line") else ""
    return f"{file}{line}" or one_line(source.get("name", ""))


def _prefixed(sign: str, value: Any) -> str:
    if not isinstance(value, str):
        return sign + one_line(value)
    return "\n".join(sign + one_line(line) for line in value.split("\n"))


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
