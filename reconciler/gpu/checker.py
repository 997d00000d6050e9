"""Owns how rules are called: a checker says which kinds it is for, and yields problems. Must not hold a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from reconciler.gpu.problem import Problem
from reconciler.gpu.world import GroupKind, World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

Check = Callable[[ObjectRef, Tree, World], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Checker:
    """`check` is called for each declared object of `kinds` (all versions of a kind), and never raises for a tree.

    With `retired`, it is called for those that this revision no longer declares instead: it judges their deletion.

    Whatever a tree holds where something else is expected is somebody's mistake in Git: a problem, or nothing.
    """

    kinds: tuple[GroupKind, ...]
    check: Check
    retired: bool = False


def problems(world: World, checkers: Iterable[Checker]) -> Iterator[Problem]:
    """All problems of the desired objects, and of those that go, checker by checker."""
    for checker in checkers:
        objects = world.retired if checker.retired else world.desired
        for group_kind in checker.kinds:
            for ref, tree in objects.get(group_kind, {}).items():
                yield from map(_printable, checker.check(ref, tree, world))


def _printable(problem: Problem) -> Problem:
    """On one line, whatever names it quotes: what a terminal would obey is escaped."""
    if problem.message.isprintable() and problem.fix.isprintable():
        return problem
    return replace(problem, message=_escaped(problem.message), fix=_escaped(problem.fix))


def _escaped(text: str) -> str:
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
