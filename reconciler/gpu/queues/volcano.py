"""Owns the rule about Volcano queues (scheduling.volcano.sh): guarantee, deserved, capability, and their tree. Pure.

A queue without a parent, or below `root`, is at the top; Volcano makes the queues `root` and `default` by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.queues.amounts import shown
from reconciler.gpu.queues.held import declared, held
from reconciler.gpu.queues.hierarchy import Hierarchy, hierarchy, tellers
from reconciler.gpu.tolerant import amount, mapping, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "Q-08": "A Volcano queue has guarantee <= deserved <= capability, and room in its parent, at most 5 levels deep",
}
KIND: Final = ("scheduling.volcano.sh", "Queue")
BUILT_IN: Final = frozenset({"root", "default"})
# Volcano's own limit, as its webhook comes.
DEEPEST: Final = 5
_ROOT: Final = "root"
_Amounts = Mapping[str, Decimal]
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "guarantee": ("spec", "guarantee", "resource"),
    "deserved": ("spec", "deserved"),
    "capability": ("spec", "capability"),
}
_PARENT: Final = ("spec", "parent")


@dataclass(frozen=True, slots=True)
class _Queues:
    """All queues by name, their tree, what caps each from above, and whose sums each queue tells of."""

    trees: Mapping[str, Tree]
    tree: Hierarchy
    caps: Mapping[str, Mapping[str, tuple[str, Decimal]]]
    tells: Mapping[str, tuple[str, ...]]


def _parent(tree: Tree) -> str:
    parent = text(tree, *_PARENT)
    return "" if parent == _ROOT else parent


def _queues(world: World) -> _Queues:
    trees = {name: tree for name, tree in held(world, *KIND).items() if name != _ROOT}
    tree = hierarchy({name: _parent(one) for name, one in trees.items()})
    return _Queues(trees, tree, _caps(trees, tree), tellers(tree, declared(world, *KIND)))


def _caps(trees: Mapping[str, Tree], tree: Hierarchy) -> dict[str, dict[str, tuple[str, Decimal]]]:
    """For each queue, by resource: the nearest ancestor with a capability, and that capability."""
    below: dict[str, dict[str, tuple[str, Decimal]]] = {}
    caps: dict[str, dict[str, tuple[str, Decimal]]] = {}
    for name in sorted((name for name, depth in tree.depths.items() if depth <= DEEPEST), key=tree.depths.__getitem__):
        parent = tree.parents[name]
        caps[name] = below.get(parent, {})
        own = {key: (name, value) for key, value in _amounts(trees[name], "capability").items() if value > 0}
        below[name] = {**caps[name], **own} if own else caps[name]
    return caps


def _amounts(tree: Tree, field: str) -> dict[str, Decimal]:
    values = ((name, amount(value)) for name, value in mapping(tree, *_FIELDS[field]).items())
    return {name: value for name, value in values if value is not None}


def _check_queue(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    yield from _check_amounts(ref, tree)
    if ref.name == _ROOT:
        return
    known = world.once(_queues)
    yield from _check_place(ref, tree, known, clustered=world.clustered)
    yield from _check_caps(ref, tree, known)
    for parent in known.tells.get(ref.name, ()):
        yield from _check_sums(ref, parent, known)


def _error(ref: ObjectRef, path: Path, message: str, fix: str) -> Problem:
    return Problem("Q-08", "error", ref, path, f"queue {ref.name}: {message}", fix)


def _check_amounts(ref: ObjectRef, tree: Tree) -> Iterator[Problem]:
    guarantee, deserved, capability = (_amounts(tree, field) for field in _FIELDS)
    for field, amounts in zip(_FIELDS, (guarantee, deserved, capability), strict=True):
        for name, value in amounts.items():
            if value < 0:
                path = (*_FIELDS[field], name)
                yield _error(ref, path, f"{field} of {name} is {shown(value, name)}, below 0", "write 0 or more")
    for name, value in guarantee.items():
        if name not in deserved:
            message = f"it guarantees {shown(value, name)} {name}, but deserves none of it"
            fix = f"add deserved {name}: {shown(value, name)} or more, or remove the guarantee"
            yield _error(ref, (*_FIELDS["guarantee"], name), message, fix)
    yield from _check_order(ref, "guarantee", guarantee, "deserved", deserved)
    yield from _check_order(ref, "deserved", deserved, "capability", capability)


def _check_order(ref: ObjectRef, low: str, less: _Amounts, high: str, more: _Amounts) -> Iterator[Problem]:
    for name, value in less.items():
        if name in more and value > more[name]:
            message = f"{low} of {name} ({shown(value, name)}) is above {high} ({shown(more[name], name)})"
            fix = f"lower {low}, or raise {high} to {shown(value, name)}"
            yield _error(ref, (*_FIELDS[low], name), message, fix)


def _check_place(ref: ObjectRef, tree: Tree, known: _Queues, *, clustered: bool) -> Iterator[Problem]:
    parent = _parent(tree)
    if ref.name in known.tree.cyclic:
        message = f"it is its own ancestor: {known.tree.cycle(ref.name)}"
        yield _error(ref, _PARENT, message, "give one queue of the cycle another parent, or none")
    elif parent and parent not in known.trees and (clustered or parent not in BUILT_IN):
        fix = f"declare the queue {parent!r}, or correct spec.parent"
        yield replace(_error(ref, _PARENT, f"its parent {parent!r} does not exist", fix), absent=True)
    elif known.tree.depths.get(ref.name, 0) > DEEPEST:
        message = f"it is on level {known.tree.depths[ref.name]} of the tree; Volcano takes {DEEPEST}"
        yield _error(ref, _PARENT, message, "move it up, below a queue of a higher level")


def _check_caps(ref: ObjectRef, tree: Tree, known: _Queues) -> Iterator[Problem]:
    caps = known.caps.get(ref.name, {})
    for name, value in _amounts(tree, "capability").items():
        above, most = caps.get(name, ("", value))
        if value > most:
            message = (
                f"capability of {name} ({shown(value, name)}) is above that of {above} over it ({shown(most, name)})"
            )
            fix = f"lower it to {shown(most, name)}, or raise the capability of {above}"
            yield _error(ref, (*_FIELDS["capability"], name), message, fix)


def _check_sums(ref: ObjectRef, parent: str, known: _Queues) -> Iterator[Problem]:
    """What children are promised together has to be there.

    What the parent leaves out counts as 0 for some releases of Volcano and some resources: a warning.
    """
    children = known.tree.children[parent]
    for field in ("guarantee", "deserved"):
        sums = defaultdict[str, Decimal](Decimal)
        for child in children:
            for name, value in _amounts(known.trees[child], field).items():
                sums[name] += max(value, Decimal(0))
        own = _amounts(known.trees[parent], field)
        for name, total in sums.items():
            has = own.get(name)
            if total <= (has or 0):
                continue
            there = "names none" if has is None else f"has {shown(has, name)}"
            message = (
                f"the queues below {parent} ({len(children)}) have {field} {shown(total, name)} of {name} together,"
                f" but {parent} {there}"
            )
            path = (*_FIELDS[field], *(() if has is None else (name,))) if ref.name == parent else _PARENT
            fix = f"raise {field} of {parent} to {shown(total, name)}, or lower those below it"
            yield Problem("Q-08", "warning" if has is None else "error", ref, path, message, fix)


CHECKERS: Final[tuple[Checker, ...]] = (Checker((KIND,), _check_queue),)
