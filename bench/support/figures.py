"""Owns the figures of a run, what is wanted of them, and the table that shows both. Must not measure.

A record is what docs/performance.md shows: a test renders it again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

MARKS: Final = ("<!-- bench: begin (written by `make bench-full`, do not edit) -->", "<!-- bench: end -->")
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table. `must` and `aim` are the most that is wanted, or the least where `more` is better.

    `race`: the Go server is measured too, and must be behind.
    """

    key: str
    label: str
    unit: str
    must: float | None = None
    aim: float | None = None
    more: bool = False
    race: bool = True


def _latency(case: str, label: str, must: Span | None, aim: Span | None) -> Iterator[Goal]:
    for place, quantile in enumerate(("p50", "p99")):
        wanted = (must[place] if must else None, aim[place] if aim else None)
        yield Goal(f"{case} c1 {quantile}", f"{label}, {quantile}", "ms", *wanted)


SMALL: Final[tuple[tuple[str, Span | None, Span | None, Span | None], ...]] = (
    ("unguarded", None, None, (4500, 5500)),
    ("allow", (0.5, 2.5), (0.3, 1.5), (3300, 4200)),
    ("deny", (0.8, 4), (0.5, 2.5), (1700, 2300)),
    ("create", (0.8, 4), (0.5, 2.5), None),
)
BIG: Final = (("1 MB", (25, 60), (12, 25)), ("3 MB", (70, 120), (40, 70)))
GOALS: Final = (
    *(goal for case, must, aim, _ in SMALL for goal in _latency(case, f"{case}, one connection", must, aim)),
    *(
        Goal(f"{case} per core", f"{case}, decisions per second per core", "/s", *(speed or (None, None)), more=True)
        for case, _, _, speed in SMALL
    ),
    *(Goal(f"{case} c16 p99", f"{case}, 16 connections, p99", "ms", 25, 15) for case, *_ in SMALL),
    Goal("fresh cpu", "allow, a new connection for each, CPU", "µs"),
    *(
        goal
        for size, must, aim in BIG
        for change in ("allow", "deny")
        for goal in _latency(f"{size} {change}", f"{size} object, {change}", must, aim)
    ),
    Goal("beside p99", "allow beside a stream of 3 MB reviews, p99", "ms", 60, 30),
    Goal("pss 10000", "memory at 10,000 guarded objects", "MB", 60, 50, race=False),
    Goal("pss 100000", "memory at 100,000 guarded objects", "MB", 60, 50, race=False),
    Goal("pss growth", "more at 100,000 than at 10,000", "MB", 3, 3, race=False),
    Goal("crds bytes", "more in the snapshot with 500 unrelated CRDs", "bytes", 0, 0, race=False),
    Goal("pss crds", "memory at 10,000 with 500 unrelated CRDs", "MB", 60, 50, race=False),
    Goal("pss flood", "memory after sixteen 3 MB reviews at once", "MB", 150, 120, race=False),
    Goal("pss requests", "more after {requests:,} requests", "MB", 3, 3, race=False),
    Goal("start", "start to first right answer at 100,000", "s", 1, 0.5, race=False),
    Goal("bucket 5", "calls within 5 ms, seen by the API server", "%", 95, 99, more=True, race=False),
    Goal("bucket 25", "calls within 25 ms, seen by the API server", "%", 100, 100, more=True, race=False),
    Goal("write with p50", "a write through the API server with the webhook, p50", "ms", race=False),
    Goal("write without p50", "the same without, p50", "ms", race=False),
    Goal("write with p99", "a write through the API server with the webhook, p99", "ms", race=False),
    Goal("write without p99", "the same without, p99", "ms", race=False),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """What was measured of one goal."""

    ours: float
    go: float | None = None


@dataclass(slots=True)
class Record:
    """One whole run. `requests`: how many the long-running part sent; `notes`: sizes and noise, one sentence each."""

    machine: str
    date: str
    commit: str
    form: str
    requests: int
    figures: dict[str, Pair] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load(data: bytes) -> Record:
    """A record as `dump` wrote it."""
    return msgspec.json.decode(data, type=Record)


def dump(record: Record) -> bytes:
    """The record as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def table(record: Record) -> str:
    """The record in Markdown, with a head that says where and when, and what was not quiet."""
    head = f"{record.machine}. {record.date}, commit {record.commit}, `{record.form}`."
    lines = [head, "", "| figure | must | aim | Setscrew | Go | |", "| --- | --: | --: | --: | --: | --- |"]
    lines += [_line(goal, record.figures[goal.key], record) for goal in GOALS if goal.key in record.figures]
    return "\n".join([*lines, "", *(f"- {note}" for note in record.notes)]) + "\n"


def missed(record: Record) -> list[str]:
    """Keys of goals that were not met, and of races that were lost."""
    measured = ((goal, record.figures[goal.key]) for goal in GOALS if goal.key in record.figures)
    return [goal.key for goal, pair in measured if any("**" in word for word in _verdicts(goal, pair))]


def _line(goal: Goal, pair: Pair, record: Record) -> str:
    sign = "≥" if goal.more else "≤"
    limits = ("" if one is None else f"{sign} {_number(one)}" for one in (goal.must, goal.aim))
    label = f"{goal.label.format(requests=record.requests)} ({goal.unit})"
    go = "" if pair.go is None else _number(pair.go)
    return f"| {label} | {' | '.join(limits)} | {_number(pair.ours)} | {go} | {', '.join(_verdicts(goal, pair))} |"


def _verdicts(goal: Goal, pair: Pair) -> Iterator[str]:
    if goal.aim is not None and goal.must is not None:
        reached = [_within(pair.ours, limit, goal.more) for limit in (goal.aim, goal.must)]
        yield "aim met" if reached[0] else "met" if reached[1] else "**missed**"
    if goal.race and pair.go is not None:
        ratio = pair.ours / pair.go if goal.more else pair.go / pair.ours
        yield f"{ratio:.1f} × Go" if ratio >= 1 else f"**behind Go ({ratio:.2f} ×)**"


def _within(value: float, limit: float, more: bool) -> bool:
    return value >= limit if more else value <= limit


def _number(value: float) -> str:
    """Three digits that count: the rest is noise."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def medians(rounds: Iterable[float]) -> float:
    """The middle one: a disturbed round moves it least."""
    found = sorted(rounds)
    return found[len(found) // 2]
