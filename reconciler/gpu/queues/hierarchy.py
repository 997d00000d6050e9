"""Owns hierarchies of named queues: parents, children, depth, cycles, in one pass. Must not know any kind of queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

# Names of a cycle that a message spells out.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """`parents`: the name of each queue to its parent's, "" at the top; a parent may be no queue itself.

    `depths`: 1 at the top or under a parent that is no queue; nothing for a queue on a cycle or below one. `tops`: the
    uppermost name, which may be no queue. `cyclic`: queues on a cycle.
    """

    parents: Mapping[str, str]
    children: Mapping[str, tuple[str, ...]]
    depths: Mapping[str, int]
    tops: Mapping[str, str]
    cyclic: frozenset[str]

    def cycle(self, name: str) -> str:
        """`a → b → a`, for a queue on a cycle; a long one is cut."""
        names = [name]
        while len(names) <= _SHOWN and self.parents[names[-1]] != name:
            names.append(self.parents[names[-1]])
        closed = self.parents[names[-1]] == name
        return " → ".join([*names, name] if closed else [*names, "…", name])


def hierarchy(parents: Mapping[str, str]) -> Hierarchy:
    """The hierarchy of these queues. Time and space grow with their number alone, however deep they are nested."""
    children: dict[str, list[str]] = defaultdict(list)
    for name, parent in parents.items():
        if parent:
            children[parent].append(name)
    depths: dict[str, int] = {}
    tops: dict[str, str] = {}
    cyclic: set[str] = set()
    endless: set[str] = set()
    for start in parents:
        places: dict[str, int] = {}
        name = start
        while name in parents and name not in places and name not in depths and name not in endless:
            places[name] = len(places)
            name = parents[name]
        trail = list(places)
        if name in places or name in endless:
            endless.update(trail)
            cyclic.update(trail[places.get(name, len(trail)) :])
            continue
        depth = depths.get(name, 0)
        top = tops.get(name, name)
        for one in reversed(trail):
            depth += 1
            depths[one] = depth
            tops[one] = top = top or one
    frozen = {parent: tuple(names) for parent, names in children.items()}
    return Hierarchy(parents, frozen, depths, tops, frozenset(cyclic))


def tellers(tree: Hierarchy, declared: Collection[str]) -> dict[str, tuple[str, ...]]:
    """By each queue that tells of their sums, the queues with children: itself, else the first child that Git has."""
    found = defaultdict[str, list[str]](list)
    for parent, children in tree.children.items():
        teller = parent if parent in declared else min((one for one in children if one in declared), default=None)
        if teller is not None and parent in tree.parents:
            found[teller].append(parent)
    return {name: tuple(parents) for name, parents in found.items()}
