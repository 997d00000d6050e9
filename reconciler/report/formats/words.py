"""Owns the words that formats share: object, place, who, why, since, a change in a line. Printable, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.report.drift import SEVERITIES
from reconciler.report.printable import one_line

VALUE_CHARS: Final = 60
IN_SYNC: Final = "in-sync"
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))
_WORST: Final[dict[str, int]] = {name: place for place, name in enumerate(SEVERITIES)}


def object_name(item: Mapping[str, Any]) -> str:
    """`Deployment shop/web`."""
    return one_line(f"{item['kind']} {full_name(item)}")


def full_name(item: Mapping[str, Any]) -> str:
    """`shop/web`, or `gold` of what has no namespace."""
    return one_line(f"{item['namespace']}/{item['name']}" if item.get("namespace") else item["name"])


def group_of(item: Mapping[str, Any]) -> str:
    """The API group, "" for the core group."""
    if "group" in item:
        return str(item["group"])
    group, slash, _ = str(item.get("apiVersion", "")).partition("/")
    return group if slash else ""


def place(item: Mapping[str, Any]) -> str:
    """`deploy/web.yaml:12`, or the source where no file is known."""
    source = item.get("source", {})
    file = one_line(source.get("file", ""))
    line = f":{source['line']}" if source.get("line") else ""
    return f"{file}{line}" or one_line(source.get("name", ""))


def who(item: Mapping[str, Any]) -> str:
    """The person as far as one is known, else the manager; "" where nobody did anything."""
    if item.get("state") == IN_SYNC:
        return ""
    attribution = item.get("attribution", {})
    return one_line(attribution.get("user") or attribution.get("manager") or "not known")


def why(item: Mapping[str, Any]) -> str:
    """`: reason` of a state that needs one, "" otherwise."""
    return f": {one_line(item['reason'])}" if item.get("reason") and item["state"] != "drifted" else ""


def kept_on_purpose(item: Mapping[str, Any]) -> bool:
    """True for what Git itself has said is to stay: it is known, and nothing is to be done about it."""
    return item.get("state") == "orphaned" and severity(item) == "info"


def is_enforced(item: Mapping[str, Any]) -> bool:
    """Whether changes of it are refused, but for those of writers: not where it is watched, nor before adoption."""
    return (item.get("source") or {}).get("enforced") is not False and item.get("adopted") is not False


def team(item: Mapping[str, Any]) -> str:
    """Who owns it, "" for nobody."""
    return one_line(item.get("owner", {}).get("team", ""))


def severity(item: Mapping[str, Any]) -> str:
    """How bad it is; findings of before there were severities are medium."""
    return str(item.get("severity") or "medium")


def badness(item: Mapping[str, Any]) -> int:
    """For sorting: 0 is the worst, what is in sync comes last."""
    if item.get("state") == IN_SYNC:
        return len(_WORST) + 1
    return _WORST.get(severity(item), len(_WORST))


def used(item: Mapping[str, Any]) -> list[str]:
    """Who uses the GPU class that differs, and when the difference acts."""
    return [one_line(line) for line in item.get("gpu", {}).get("lines", ())]


def changed(change: Mapping[str, Any]) -> str:
    """`spec.replicas: 3 → 5`."""
    return f"{one_line(change['field'])}: {value(change, 'desired')} → {value(change, 'live')}"


def value(change: Mapping[str, Any], side: str) -> str:
    """One side of a change, cut to what fits a table."""
    if side not in change:
        return "(none)"
    text = one_line(change[side])
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "…"


def fields(item: Mapping[str, Any]) -> str:
    """`3 fields`, or what else is the matter: `missing: reason`."""
    number = len(item.get("changes", ()))
    if item["state"] != "drifted":
        return f"{item['state']}{why(item)}"
    return f"{number} field{'' if number == 1 else 's'}"


def summed(seconds: float) -> str:
    """`3h`, `12m`, `4s`: the largest unit that fits."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def since(first_seen: str, now: str) -> str:
    """`3h ago`; the time itself where it is none."""
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(first_seen)).total_seconds()
    except (TypeError, ValueError):
        return one_line(first_seen)
    return f"{summed(seconds)} ago"


def caution(metadata: Mapping[str, Any]) -> str:
    """Why the report must not be relied on, "" where it may."""
    return f"the report is stale: {one_line(metadata.get('staleReason', ''))}" if metadata.get("stale") else ""


def aligned(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Lines of a table for a fixed-width font, three spaces between columns."""
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
