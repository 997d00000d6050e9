"""Owns the report as a sheet: one row a finding, in CSV or as a table of text. Must not decide what is shown first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from reconciler.report.formats import words
from reconciler.report.formats.cells import as_csv
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

Item = Mapping[str, Any]
_NOTHING: Final = "Nothing found"


def _dug(*keys: str) -> Callable[[Item], Any]:
    """The value below these keys, "" where there is none; text on one line."""

    def found(item: Item) -> Any:
        value: Any = item
        for key in keys:
            value = value.get(key, "") if isinstance(value, Mapping) else ""
        return value if isinstance(value, int) else one_line(value)

    return found


COLUMNS: Final[Mapping[str, Callable[[Item], Any]]] = {
    "id": _dug("id"),
    "cluster": _dug("cluster"),
    "group": words.group_of,
    "kind": _dug("kind"),
    "namespace": _dug("namespace"),
    "name": _dug("name"),
    "state": _dug("state"),
    "severity": words.severity,
    "fields": lambda item: len(item.get("changes", ())),
    "paths": lambda item: " ".join(one_line(change["path"]) for change in item.get("changes", ())),
    "team": words.team,
    "costCenter": _dug("owner", "costCenter"),
    "contact": _dug("owner", "contact"),
    "user": _dug("attribution", "user"),
    "manager": _dug("attribution", "manager"),
    "confidence": _dug("attribution", "confidence"),
    "firstSeen": _dug("firstSeen"),
    "lastSeen": _dug("lastSeen"),
    "occurrences": lambda item: item.get("occurrences", 1),
    "grant": _dug("grant"),
    "reason": _dug("reason"),
    "source": _dug("source", "name"),
    "file": _dug("source", "file"),
    "line": _dug("source", "line"),
    "commit": _dug("source", "commit"),
    "signer": _dug("source", "signer"),
}
# Of a finding's own keys, the columns that show them: `fields` may name either.
_SHOWN_BY: Final = {
    "apiVersion": ("group",),
    "changes": ("fields", "paths"),
    "owner": ("team", "costCenter", "contact"),
    "attribution": ("user", "manager", "confidence"),
    "source": ("source", "file", "line", "commit", "signer"),
}


def as_sheet(report: Report) -> Iterator[str]:
    """CSV with a line of names. `fields` chooses among the columns."""
    wanted = {column for name in report.fields for column in _SHOWN_BY.get(name, (name,))}
    columns = {name: cell for name, cell in COLUMNS.items() if not wanted or name in wanted}
    return as_csv(tuple(columns), ([cell(item) for cell in columns.values()] for item in report.items()))


def as_table(report: Report) -> Iterator[str]:
    """For eyes, without colours."""
    if caution := words.caution(report.metadata):
        yield f"Do not rely on this: {caution}.\n"
    now = str(report.metadata.get("generatedAt", ""))
    header = ("SEVERITY", "OBJECT", "STATE", "FIELDS", "SINCE", "WHO", "OWNER", "DECLARED IN")
    rows = [
        (
            words.severity(item),
            words.object_name(item),
            str(item["state"]),
            str(len(item.get("changes", ()))),
            words.since(item.get("firstSeen", ""), now),
            words.who(item),
            words.team(item) or "-",
            words.place(item),
        )
        for item in report.items()
    ]
    yield from words.aligned(header, rows) if rows else (f"{_NOTHING}.\n",)
    if remaining := report.metadata.get("remainingItemCount", 0):
        yield f"{remaining} more are not shown.\n"
