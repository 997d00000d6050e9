"""Owns which leaves of a subtree a request changed, and whether patterns cover them. Must not judge.

Whether a change is free or delegated is asked of its leaves, so an added `annotations` map changes no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.compare.equal import same
from reconciler.compare.place import UNKNOWN, Finding
from reconciler.model.path import Element, ItemKey, Path, split_pattern
from reconciler.model.tree import ABSENT, CONTAINERS, Tree
from reconciler.policy.pattern import item_values


def changed_leaves(finding: Finding) -> Iterator[Path]:
    """Paths of the leaves that differ between was and now inside a finding (all of now where was is unknown).

    What a new object leaves out has no leaf: it is named as a whole, or nothing would be asked of it.
    """
    if finding.was is UNKNOWN and finding.now is ABSENT:
        yield finding.path
        return
    was = ABSENT if finding.was is UNKNOWN else finding.was
    yield from leaves_between(finding.path, was, finding.now)


def leaves_between(path: Path, was: Tree, now: Tree) -> Iterator[Path]:
    """Paths of the leaves that differ between two values at `path`; the path itself where they are no maps."""
    if same(was, now):
        return
    keys = [*(was if isinstance(was, dict) else ()), *(now if isinstance(now, dict) else ())]
    maps = (isinstance(was, dict) or was is ABSENT) and (isinstance(now, dict) or now is ABSENT)
    if not keys or not maps:
        yield path
        return
    for key in dict.fromkeys(keys):
        before = was.get(key, ABSENT) if isinstance(was, dict) else ABSENT
        after = now.get(key, ABSENT) if isinstance(now, dict) else ABSENT
        yield from leaves_between((*path, key), before, after)


def adds(was: Tree, now: Tree) -> bool:
    """True if `now` holds keys or items that `was` lacks; a value that only became another one adds nothing."""
    if isinstance(was, dict) and isinstance(now, dict):
        return any(adds(was.get(key, ABSENT), value) for key, value in now.items())
    if isinstance(was, list) and isinstance(now, list):
        return len(now) > len(was) or any(map(adds, was, now))
    if was is ABSENT or was is None:
        return now is not ABSENT and now is not None
    return isinstance(now, CONTAINERS) and bool(now) and not same(was, now)


def shrinks(was: Tree, now: Tree) -> bool:
    """True if `now` is `was` with keys or items taken out and nothing else changed."""
    if isinstance(was, dict) and isinstance(now, dict):
        return all(key in was and shrinks(was[key], value) for key, value in now.items())
    if isinstance(was, list) and isinstance(now, list):
        rest = iter(was)
        return all(any(shrinks(old, item) for old in rest) for item in now)
    return now is ABSENT or same(was, now)


def covered(path: Path, patterns: Iterable[str]) -> bool:
    """True if a pointer pattern covers `path`: `*` is one element, a final `**` (or a prefix) everything below.

    `name*` is an element that begins so.
    """
    return any(_covers(split_pattern(pattern), path) for pattern in patterns)


def _covers(parts: Sequence[str], path: Path) -> bool:
    if parts and parts[-1] == "**":
        parts = parts[:-1]
    return len(path) >= len(parts) and all(_fits(part, element) for part, element in zip(parts, path, strict=False))


def _fits(part: str, element: Element) -> bool:
    if part == "*":
        return True
    if isinstance(element, ItemKey):
        if asked := item_values(part):
            return all(pair in element.pairs for pair in asked.items())
        return any(part == value for _, value in element.pairs)
    name = str(element)
    return part == name or (part.endswith("*") and name.startswith(part[:-1]))
