"""Owns the judging of a chaos run: which answers were wrong, in which trial, and whether what slipped through is known.

With `Fail` nothing forbidden may pass. With `Ignore` it may, and then it must be known by the API server's own id of
the request. An allowed write never fails but where its trial excuses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from tests.chaos.traffic import Write
from tests.chaos.trials import Excused
from tests.support.audit import GUARD

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Span:
    """When a trial ran (time.time())."""

    name: str
    excused: Excused
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts by trial, and every violation in a line of its own."""

    counts: dict[str, Counter[str]]
    violations: tuple[str, ...]


def judge(
    writes: Iterable[Write], spans: Iterable[Span], failure: str, known: Collection[str], workers: int
) -> Verdict:
    """`known`: ids of requests that were reported as unjudged; `workers`: how many reviews a killed one can hold."""
    spans = tuple(spans)
    counts: dict[str, Counter[str]] = {span.name: Counter() for span in spans}
    violations: list[str] = []
    lost: Counter[str] = Counter()
    for write in writes:
        span = next((one for one in spans if one.since <= write.at < one.until), None)
        if span is None:
            continue
        outcome = _outcome(write)
        counts[span.name][f"{write.meant}, {outcome}"] += 1
        if write.meant == "forbidden" and outcome == "passed":
            if failure == "Fail":
                violations.append(f"{span.name}: {write.what} was admitted ({write.audit_id})")
            elif write.audit_id not in known:
                violations.append(f"{span.name}: {write.what} slipped through and nobody knows ({write.audit_id})")
        if write.meant == "allowed" and outcome != "passed":
            lost[span.name] += 1
            if outcome == "refused" or span.excused == "nothing" or _too_many(span, lost[span.name], workers):
                violations.append(f"{span.name}: {write.what} failed: {write.status} {write.message[:200]}")
    return Verdict(counts, tuple(violations))


def _too_many(span: Span, lost: int, workers: int) -> bool:
    return span.excused == "in flight" and lost > workers


def _outcome(write: Write) -> str:
    if 200 <= write.status < 300:
        return "passed"
    return "refused" if write.status == 403 and GUARD in write.message else "not judged"


def summary(verdict: Verdict, facts: Iterable[str]) -> str:
    """What is printed."""
    lines = list(facts)
    for name, counts in verdict.counts.items():
        lines.append(f"  {name}: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    lines.append(f"{len(verdict.violations)} violations")
    lines += [f"  {line}" for line in verdict.violations[:_SHOWN]]
    if len(verdict.violations) > _SHOWN:
        lines.append(f"  and {len(verdict.violations) - _SHOWN} more")
    return "\n".join(lines)
