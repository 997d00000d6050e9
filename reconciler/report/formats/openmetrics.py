"""Owns the report as OpenMetrics text: how many findings there are by label, and since when. No label is an object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.report.drift import DEFAULT_CLUSTER
from reconciler.report.formats import words
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

LABELS: Final = ("cluster", "namespace", "group", "kind", "source", "state", "severity")
_FAMILIES: Final = {
    "setscrew_drift_resources": "Objects that are not as Git says",
    "setscrew_drift_oldest_seconds": "How long the oldest of them is so",
    "setscrew_report_stale": "1 while the report must not be relied on",
}
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def as_openmetrics(report: Report) -> Iterator[str]:
    """Gauges with the names and labels that `/metrics` has, of what was chosen; each family is there also if empty."""
    found, oldest = _counted(report)
    samples = {
        "setscrew_drift_resources": {_labels(key): number for key, number in found.items()},
        "setscrew_drift_oldest_seconds": {_labels(key): seconds for key, seconds in oldest.items()},
        "setscrew_report_stale": {"": int(bool(report.metadata.get("stale")))},
    }
    for name, about in _FAMILIES.items():
        yield f"# TYPE {name} gauge\n# HELP {name} {about}\n"
        yield "".join(f"{name}{labels} {value}\n" for labels, value in sorted(samples[name].items()))
    yield "# EOF\n"


def _counted(report: Report) -> tuple[Counter[tuple[str, ...]], dict[tuple[str, ...], int]]:
    """Findings by labels: how many, and for how many seconds the oldest is one."""
    now = str(report.metadata.get("generatedAt", ""))
    found, oldest = Counter[tuple[str, ...]](), dict[tuple[str, ...], int]()
    for item in report.items():
        if item.get("state") == words.IN_SYNC:
            continue
        key = _key(item)
        found[key] += 1
        oldest[key] = max(oldest.get(key, 0), _seconds(str(item.get("firstSeen", "")), now))
    return found, oldest


def _key(item: Mapping[str, Any]) -> tuple[str, ...]:
    source = str((item.get("source") or {}).get("name", ""))
    known = {"group": words.group_of(item), "source": source, "severity": words.severity(item)}
    known["cluster"] = str(item.get("cluster") or DEFAULT_CLUSTER)
    return tuple(str(known.get(name, item.get(name, ""))) for name in LABELS)


def _labels(key: tuple[str, ...]) -> str:
    pairs = (f'{name}="{one_line(value).translate(_ESCAPES)}"' for name, value in zip(LABELS, key, strict=True))
    return "{" + ",".join(pairs) + "}"


def _seconds(since: str, now: str) -> int:
    try:
        return max(0, int((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()))
    except (TypeError, ValueError):
        return 0
