"""Owns which objects are judged together: what one cluster may hold at once. Must not know a rule.

Two directories that declare the same object, or build on one kustomization, are for two clusters: each is judged with
all that is no rival of it. What is in neither (the trunk) is judged with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.gpu.checker import problems
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.problem import Problem
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.world import World, by_kind
from reconciler.model.path import ItemKey, Path, follow, index_of
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from setscrew.checking.judging import Fault
from setscrew.checking.rendering import Declared, Location

_TRUNK: Location = ()


@dataclass(slots=True)
class Rivals:
    """Directories that are for different clusters, as found in `declared` and by `share`."""

    _marked: set[Location] = field(default_factory=set)

    def part(self, one: Location, other: Location) -> None:
        """Two directories that no cluster holds both: the topmost ones by which they differ."""
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        self._marked |= {place[: same + 1] for place in (one, other) if len(place) > same}

    def of(self, location: Location) -> Location:
        """The directory for a cluster of its own in which `location` is; () for the trunk."""
        return next((location[:end] for end in range(1, len(location) + 1) if location[:end] in self._marked), _TRUNK)


def twice(declared: Iterable[Declared], rivals: Rivals) -> Iterator[Fault]:
    """Objects that stand twice in one directory; those that stand in two of them make these rivals."""
    first: dict[ObjectRef, Declared] = {}
    for one in declared:
        known = first.setdefault(one.rendered.ref, one)
        if known is one:
            continue
        if known.location == one.location and known.is_plain and one.is_plain:
            message = f"declared twice, first at {known.rendered.provenance.place}"
            yield Fault("SS3008", "error", one, message, "remove one of them")
        rivals.part(known.location, one.location)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the GPU rules need beside the objects that Git declares."""

    parse: Callable[[str], Tree]
    mig: MigTable
    context: Sequence[Tree] = ()

    def faults(self, declared: Sequence[Declared], rivals: Rivals) -> Iterator[Fault]:
        """What is wrong by the GPU rules, each object judged once."""
        live = by_kind(self.context)
        by_variant: dict[Location, list[Declared]] = {_TRUNK: []}
        for one in declared:
            by_variant.setdefault(rivals.of(one.location), []).append(one)
        for variant, own in by_variant.items():
            others = (
                one
                for place, some in by_variant.items()
                if place != variant and not _compete(variant, place)
                for one in some
            )
            world = World(by_kind(one.rendered.tree for one in (*own, *others)), self.parse, self.mig, live)
            index = {one.rendered.ref: one for one in reversed(own)}
            found = problems(world, CHECKERS)
            yield from (_fault(one, index[one.ref], self.parse) for one in found if one.ref in index)


def _compete(one: Location, other: Location) -> bool:
    return bool(one and other) and one[:-1] == other[:-1]


def _fault(problem: Problem, declared: Declared, parse: Callable[[str], Tree]) -> Fault:
    tree = declared.rendered.tree
    inside: Tree = None
    if problem.embedded:
        try:
            inside = parse(follow(problem.path, tree))
        except (ValueError, TypeError, AttributeError):
            inside = None
    return Fault(
        problem.rule,
        problem.severity,
        declared,
        problem.message,
        problem.fix,
        _tokens(problem.path, tree),
        _tokens(problem.embedded, inside),
    )


def _tokens(path: Path, tree: Tree) -> tuple[str | int, ...]:
    """Names and indices, as far as the path leads to something."""
    tokens: list[str | int] = []
    for element in path:
        place = index_of(element, tree) if isinstance(element, ItemKey) else element
        if place is None:
            break
        tokens.append(place)
        tree = follow((place,), tree)
    return tuple(tokens)
