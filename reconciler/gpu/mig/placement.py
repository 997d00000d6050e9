"""Owns where instances go on one GPU: a search for places that do not overlap. Must not know names or limits of counts.

Largest instances first, each kind at rising starts, on a bit for each memory slice: microseconds, as slices are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.gpu.mig_table import MigProfile

Wanted = Sequence[tuple[MigProfile, int]]
Place = tuple[MigProfile, int]


def placement(wanted: Wanted, slices: int) -> tuple[Place, ...] | None:
    """A start for each instance, the largest first; None where they do not fit into `slices` memory slices."""
    if memory_of(wanted) > slices:
        return None
    largest = sorted(wanted, key=lambda pair: (-pair[0].memory_slices, len(pair[0].starts)))
    return _place([profile for profile, count in largest for _ in range(count)], 0, None)


def memory_of(wanted: Iterable[tuple[MigProfile, int]]) -> int:
    """Memory slices that these take together."""
    return sum(profile.memory_slices * count for profile, count in wanted)


def compute_of(wanted: Iterable[tuple[MigProfile, int]]) -> int:
    """Compute slices that these take together."""
    return sum(profile.compute_slices * count for profile, count in wanted)


def largest_part(wanted: Wanted, slices: int) -> Wanted:
    """What fits of `wanted`, with the most memory, then the most instances; empty where nothing does."""
    parts = sorted(_parts(wanted, slices), key=lambda part: (-memory_of(part), -sum(count for _, count in part)))
    return next((part for part in parts if placement(part, slices) is not None), ())


def _parts(wanted: Wanted, slices: int) -> Iterator[Wanted]:
    """All that is within `wanted`, and in memory within `slices`."""
    if not wanted:
        yield ()
        return
    (profile, count), *rest = wanted
    for taken in range(min(count, profile.max_count, slices // profile.memory_slices) + 1):
        for part in _parts(rest, slices - taken * profile.memory_slices):
            yield ((profile, taken), *part) if taken else part


def _place(instances: Sequence[MigProfile], used: int, before: Place | None) -> tuple[Place, ...] | None:
    if not instances:
        return ()
    first, rest = instances[0], instances[1:]
    bits = (1 << first.memory_slices) - 1
    # Instances of one kind are alike: the next one begins after the one before.
    after = before[1] if before is not None and before[0] is first else -1
    for start in first.starts:
        if start > after and not used & bits << start:
            others = _place(rest, used | bits << start, (first, start))
            if others is not None:
                return ((first, start), *others)
    return None
