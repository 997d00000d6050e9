"""Owns how a summary of the report is written: JSON, YAML, CSV, a table of text or of Markdown. Must not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from reconciler.report.formats import words
from reconciler.report.formats.cells import as_csv
from reconciler.report.formats.markdown import code
from reconciler.report.printable import one_line
from reconciler.report.summary import Asked, cells, columns

Summary = Mapping[str, Any]
_TOTAL: Final = "TOTAL"
_HEADER: Final = ("DRIFT", "MISSING", "EXTRA", "UNKNOWN", "DENIALS", "OLDEST", "OPEN IN ALL", "TOP WRITERS")


def as_json(summary: Summary) -> Iterator[str]:
    """A DriftSummary."""
    yield msgspec.json.encode(summary).decode() + "\n"


def as_yaml(summary: Summary) -> Iterator[str]:
    """The same as YAML."""
    yield msgspec.yaml.encode(summary).decode()


def as_sheet(summary: Summary) -> Iterator[str]:
    """CSV; the last line is the total."""
    asked = _asked(summary)
    rows = [*summary["items"], {"name": _TOTAL, **summary["total"]}]
    return as_csv(columns(asked), (cells(asked, row) for row in rows))


def as_table(summary: Summary) -> Iterator[str]:
    """For eyes; the last line is the total."""
    if caution := words.caution(summary["metadata"]):
        yield f"Do not rely on this: {caution}.\n"
    asked = _asked(summary)
    header = (one_line(asked.by).upper(), *map(str.upper, asked.labels), *_HEADER)
    rows = [*summary["items"], {"name": _TOTAL, **summary["total"]}]
    yield from words.aligned(header, (_line(asked, row) for row in rows))


def as_markdown(summary: Summary) -> Iterator[str]:
    """For pull requests and chats."""
    asked = _asked(summary)
    if caution := words.caution(summary["metadata"]):
        yield f"**Do not rely on this:** {code(caution)}\n\n"
    header = [code(asked.by), *map(code, asked.labels), *(name.capitalize() for name in _HEADER)]
    yield f"| {' | '.join(header)} |\n|{' --- |' * len(header)}\n"
    for row in (*summary["items"], {"name": _TOTAL, **summary["total"]}):
        yield f"| {' | '.join(map(code, _line(asked, row)))} |\n"


FORMATS: Final[Mapping[str, Callable[[Summary], Iterator[str]]]] = {
    "json": as_json,
    "yaml": as_yaml,
    "csv": as_sheet,
    "text": as_table,
    "markdown": as_markdown,
}


def _asked(summary: Summary) -> Asked:
    return Asked(summary["metadata"]["by"], tuple(summary["metadata"]["labels"]))


def _line(asked: Asked, row: Mapping[str, Any]) -> list[str]:
    drift, opened = row["drift"], row["open"]
    writers = ", ".join(f"{one['name']} ({one['findings']})" for one in row["topWriters"])
    numbers = (drift["total"], drift["missing"], drift["extra"] + drift["orphaned"], drift["unknown"], row["denials"])
    found = [row["name"], *(row.get("labels", {}).get(key, "") for key in asked.labels), *map(str, numbers)]
    spans = [words.summed(opened["oldestSeconds"]), words.summed(opened["totalSeconds"])]
    return [one_line(cell) for cell in (*found, *(spans if drift["total"] else ["-", "-"]), writers)]
