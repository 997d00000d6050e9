"""Owns the summary of the drift report: rows by namespace, label, owner, source or kind, whose sums tie. Pure.

Each finding and each refused change is counted in exactly one row, so that the rows add up to `total`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import REPORT_PARAMETER_CHARS, REPORT_WRITERS
from reconciler.report.days import Day, added
from reconciler.report.drift import DEFAULT_CLUSTER, SEVERITIES, STATES
from reconciler.report.line import Line
from reconciler.report.owner import owner_of
from reconciler.report.query import parse_names

# `team` is another word for `owner`.
BY: Final = ("cluster", "namespace", "owner", "team", "cost-center", "source", "kind")
LABEL: Final = "label:"
UNLABELLED: Final = "(unlabelled)"
# What a row is called whose findings have none of what it goes by.
NOTHING: Final = {
    "cluster": "(none)",
    "namespace": "(cluster)",
    "owner": "(nobody)",
    "team": "(nobody)",
    "cost-center": "(no cost center)",
    "source": "(no source)",
    "kind": "(none)",
}
_COUNTED: Final = tuple(state for state in STATES if state != "in-sync")

Labels = Mapping[str, Mapping[str, str]]
Denial = tuple[str, str, str, int]


@dataclass(slots=True)
class _Row:
    states: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    writers: Counter[str] = field(default_factory=Counter)
    denials: int = 0
    open_seconds: int = 0
    oldest_seconds: int = 0
    oldest: str = ""

    @classmethod
    def of(cls, lines: Sequence[Line], now: datetime) -> _Row:
        """Some findings, one at least."""
        oldest = min(one.first_seen for one in lines)
        states, severities, writers = (Counter(map(attrgetter(name), lines)) for name in ("state", "severity", "who"))
        return cls(
            states,
            severities,
            writers,
            open_seconds=sum(_open(one.first_seen, now) for one in lines),
            oldest_seconds=_open(oldest, now),
            oldest=oldest,
        )

    def take_in(self, other: _Row) -> None:
        """Count all that another row has counted."""
        self.states.update(other.states)
        self.severities.update(other.severities)
        self.writers.update(other.writers)
        self.denials += other.denials
        self.open_seconds += other.open_seconds
        if other.oldest and (not self.oldest or other.oldest < self.oldest):
            self.oldest, self.oldest_seconds = other.oldest, other.oldest_seconds

    def as_json(self) -> dict[str, Any]:
        """The row without its name."""
        named = sorted(
            ((name, count) for name, count in self.writers.items() if name), key=lambda one: (-one[1], one[0])
        )
        return {
            "drift": {"total": self.states.total(), **{state: self.states[state] for state in _COUNTED}},
            "severity": {name: self.severities[name] for name in SEVERITIES},
            "denials": self.denials,
            "open": {"oldest": self.oldest, "oldestSeconds": self.oldest_seconds, "totalSeconds": self.open_seconds},
            "topWriters": [{"name": name, "findings": count} for name, count in named[:REPORT_WRITERS]],
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """By what rows are made, which labels of namespaces stand beside them, and where changes were refused."""

    by: str = "namespace"
    labels: tuple[str, ...] = ()
    cluster: str = DEFAULT_CLUSTER


def parse_asked(by: str, labels: str, cluster: str = DEFAULT_CLUSTER) -> Asked:
    """Raises UsageError that names the parameter."""
    key = by.removeprefix(LABEL)
    if by not in BY and not (by.startswith(LABEL) and len(by) <= REPORT_PARAMETER_CHARS and _is_label(key)):
        raise UsageError(f"parameter 'by' must be one of {', '.join(BY)}, or {LABEL}KEY with the key of a label")
    found = parse_names(labels)
    if found and by != "namespace":
        raise UsageError("parameter 'labels' goes with by=namespace: labels are those of namespaces")
    return Asked(by, found, cluster)


def summarise(
    asked: Asked, lines: Iterable[Line], denials: Iterable[Denial], labels: Labels, now: datetime
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows, the most drift first, and their total. `lines` are of findings, `denials` refused changes."""
    return summarise_each((asked,), lines, denials, labels, now)[0]


def summarise_each(
    asked: Iterable[Asked], lines: Iterable[Line], denials: Iterable[Denial], labels: Labels, now: datetime
) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """As `summarise`, by several things at once: each finding is counted once, in the row of all of them."""
    asked, lines = tuple(asked), tuple(lines)
    names = [_names(one, labels) for one in asked]
    together: defaultdict[tuple[str, ...], list[Line]] = defaultdict(list)
    for key, one in zip(zip(*(map(name_finding, lines) for name_finding, _ in names), strict=True), lines, strict=True):
        together[key].append(one)
    counted = {key: _Row.of(some, now) for key, some in together.items()}
    refused, summed = list(denials), []
    for place, (_, name_denial) in enumerate(names):
        rows: defaultdict[str, _Row] = defaultdict(_Row)
        for key, row in counted.items():
            rows[key[place]].take_in(row)
        for denial in refused:
            rows[name_denial(denial)].denials += denial[3]
        summed.append(_shown(asked[place], rows, labels))
    return summed


def row_trends(asked: Asked, days: Mapping[str, Sequence[Day]], labels: Labels) -> dict[str, list[Day]]:
    """The days of each row, by its name; `days` are those of each namespace.

    Raises UsageError where rows are no sums of namespaces: owners are those of objects.
    """
    if asked.by not in ("cluster", "namespace") and not asked.by.startswith(LABEL):
        raise UsageError(f"parameter 'trend' goes with by=cluster, by=namespace and by={LABEL}KEY: so days are counted")
    _, name_denial = _names(asked, labels)
    rows: defaultdict[str, list[Sequence[Day]]] = defaultdict(list)
    for namespace, told in days.items():
        rows[name_denial((namespace, "", "", 0)) or _nothing(asked.by)].append(told)
    return {name: added(some) for name, some in rows.items()}


def _shown(asked: Asked, rows: Mapping[str, _Row], labels: Labels) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    total = _Row()
    for row in rows.values():
        total.take_in(row)
    ordered = sorted(rows.items(), key=lambda one: (-one[1].states.total(), -one[1].denials, one[0]))
    shown = [
        {"name": name or _nothing(asked.by), **_beside(asked, name, labels), **row.as_json()} for name, row in ordered
    ]
    return shown, total.as_json()


def _names(asked: Asked, labels: Labels) -> tuple[Callable[[Line], str], Callable[[Denial], str]]:
    """In which row a finding is counted, and a denial; "" where it has nothing to go by."""
    by = asked.by
    if by in ("owner", "team", "cost-center"):
        # Of a refused change no object is known: what its namespace says of the owner counts, as it does for findings.
        field = "cost_center" if by == "cost-center" else "team"
        named: dict[str, str] = {name: getattr(owner_of(held, {}, ()), field) for name, held in labels.items()}
        return attrgetter(field), lambda denial: named.get(denial[0], "")
    if by == "cluster":
        return attrgetter("cluster"), lambda _: asked.cluster
    if by == "kind":
        return attrgetter("kind"), lambda denial: denial[1]
    if by == "source":
        return attrgetter("source"), lambda denial: denial[2]
    if by == "namespace":
        return attrgetter("namespace"), lambda denial: denial[0]
    key = by.removeprefix(LABEL)
    return (
        lambda one: labels.get(one.namespace, {}).get(key, ""),
        lambda denial: labels.get(denial[0], {}).get(key, ""),
    )


def _beside(asked: Asked, name: str, labels: Labels) -> dict[str, Any]:
    if not asked.labels:
        return {}
    known = labels.get(name, {})
    return {"labels": {key: known.get(key, "") for key in asked.labels}}


def _nothing(by: str) -> str:
    return NOTHING.get(by, UNLABELLED)


def _is_label(key: str) -> bool:
    try:
        return parse_names(key) == (key,)
    except UsageError:
        return False


def _open(first_seen: str, now: datetime) -> int:
    try:
        return max(0, int((now - datetime.fromisoformat(first_seen)).total_seconds()))
    except (TypeError, ValueError):
        return 0


def columns(asked: Asked) -> Sequence[str]:
    """The names of a sheet's columns, for `cells`."""
    states = (state for state in _COUNTED)
    opened = ("oldest", "oldestSeconds", "totalSeconds")
    return (asked.by, *asked.labels, "drift", *states, *SEVERITIES, "denials", *opened, "topWriters")


def cells(asked: Asked, row: Mapping[str, Any]) -> Sequence[Any]:
    """One row as a sheet shows it."""
    writers = "; ".join(f"{one['name']} ({one['findings']})" for one in row["topWriters"])
    opened = row["open"]
    return (
        row["name"],
        *(row.get("labels", {}).get(key, "") for key in asked.labels),
        *row["drift"].values(),
        *row["severity"].values(),
        row["denials"],
        opened["oldest"],
        opened["oldestSeconds"],
        opened["totalSeconds"],
        writers,
    )
