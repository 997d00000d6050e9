"""Owns what a row of measurements says of growth: the slope of memory and descriptors an hour. Must do no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

WARM_UP_SECONDS: Final = 600.0
"""What a process fills at first (caches, pools, arenas of malloc) and is no leak. It fills by what happens."""
WARM_UP_SHARE: Final = 0.45
"""Of a short run so much is warm-up at most, and what is left is shown."""
JUDGED_SECONDS: Final = 1_800.0
"""Over less than this after the warm-up a slope an hour is mostly noise: it is shown, and not judged."""
MEMORY_MB_AN_HOUR: Final = 1.0
DESCRIPTORS_AN_HOUR: Final = 1.0
_LEAST_OF_SECONDS: Final = 300.0
"""Connections come and go: what of descriptors is never closed shows in the fewest that were open in such a time."""
_EDGE: Final = 6  # the medians at both ends are those of a sixth of all samples
_MB: Final = 1e6


def warm_up(seconds: float) -> float:
    """How long processes warm up in a run of that length."""
    return min(WARM_UP_SECONDS, seconds * WARM_UP_SHARE)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process: seconds since the first look, bytes, open descriptors.

    `anonymous` is what the process has written itself; `resident` also holds what it maps of files, which the kernel
    may take away.
    """

    at: float
    resident: int
    anonymous: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Trend:
    """One process over the judged span: MB at both ends, MB an hour (the worse of both measures); so of descriptors."""

    process: str
    seconds: float
    first: float
    last: float
    an_hour: float
    descriptors_first: float
    descriptors_last: float
    descriptors_an_hour: float

    @classmethod
    def of(cls, process: str, samples: Sequence[Sample], warm_up: float) -> Trend:
        """Of `samples` in order of time, without those of the first `warm_up` seconds; at least two must be left."""
        kept = [one for one in samples if one.at >= warm_up]
        at, descriptors = [one.at for one in kept], _fewest(kept)
        resident, anonymous = [one.resident for one in kept], [one.anonymous for one in kept]
        edge = max(1, len(kept) // _EDGE)
        return cls(
            process,
            at[-1] - at[0],
            median(resident[:edge]) / _MB,
            median(resident[-edge:]) / _MB,
            max(slope(at, resident), slope(at, anonymous)) * 3600 / _MB,
            descriptors[0][1],
            descriptors[-1][1],
            slope(*zip(*descriptors, strict=True)) * 3600,
        )

    def violations(self) -> Iterator[str]:
        """Growth that must not be; none where the span is too short to tell."""
        if self.seconds < JUDGED_SECONDS:
            return
        if self.an_hour >= MEMORY_MB_AN_HOUR:
            yield f"memory of the {self.process} grows by {self.an_hour:.2f} MB an hour"
        if self.descriptors_an_hour >= DESCRIPTORS_AN_HOUR:
            yield f"the {self.process} opens {self.descriptors_an_hour:.1f} descriptors an hour that it does not close"


def _fewest(samples: Sequence[Sample]) -> list[tuple[float, int]]:
    """When, and how few, descriptors were open in each span of time; of a run shorter than one, in all of it."""
    spans: dict[int, Sample] = {}
    whole = max(1, int((samples[-1].at - samples[0].at) // _LEAST_OF_SECONDS))
    for one in samples:
        # What is left over at the end goes with the last span: few looks would miss the moments at which few are open.
        span = min(whole - 1, int((one.at - samples[0].at) // _LEAST_OF_SECONDS))
        spans[span] = min(spans.get(span, one), one, key=lambda sample: sample.descriptors)
    return [(samples[0].at + span * _LEAST_OF_SECONDS, one.descriptors) for span, one in spans.items()]


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes between all pairs (Theil and Sen): up to a quarter of wild values do not move it."""
    slopes = [
        (values[later] - values[sooner]) / (at[later] - at[sooner])
        for sooner, later in combinations(range(len(at)), 2)
        if at[later] > at[sooner]
    ]
    return median(slopes) if slopes else 0.0


def table(trends: Sequence[Trend]) -> list[str]:
    """Lines of a table for people, a process each."""
    wide = max((len(one.process) for one in trends), default=0) + 1
    head = f"  {'':<{wide}}{'MB first':>9}{'last':>8}{'an hour':>9}{'files first':>13}{'last':>6}{'an hour':>9}"
    return [
        head,
        *(
            f"  {one.process:<{wide}}{one.first:>9.1f}{one.last:>8.1f}{one.an_hour:>+9.2f}"
            f"{one.descriptors_first:>13.0f}{one.descriptors_last:>6.0f}{one.descriptors_an_hour:>+9.1f}"
            for one in trends
        ),
    ]
