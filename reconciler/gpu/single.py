"""Owns the rules over a single write: what an object would newly break among those beside it. Must not decide.

The same functions judge revisions. Here all of Git is not at hand, so only what shows in the object itself, or beside
the few objects that are given, is found; what is merely nowhere to be seen is nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import problems
from reconciler.gpu.dra.requests import HOLDERS
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE
from reconciler.gpu.problem import Problem
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.tolerant import text
from reconciler.gpu.users.shrink import NEIGHBOURS
from reconciler.gpu.world import GroupKind, World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

Objects = Mapping[GroupKind, Mapping[ObjectRef, Tree]]
_NVIDIA: Final = CLUSTER_POLICY[0]
_COMPONENTS: Final = ("migManager", "devicePlugin")


def beside(kind: GroupKind) -> tuple[GroupKind, ...]:
    """The kinds whose objects a rule about `kind` may look at, ConfigMaps aside: see `named_by`."""
    of_operator = kind in {CONFIG_MAP, NODE} or kind[0] == _NVIDIA
    found = [one for one in NEIGHBOURS if one[0] == kind[0] or (of_operator and one[0] == _NVIDIA)]
    # Nodes say which GPU models there are.
    return (*found, NODE) if kind in {CONFIG_MAP, *HOLDERS} else tuple(found)


def named_by(ref: ObjectRef, tree: Tree, objects: Objects) -> frozenset[str]:
    """The names of the ConfigMaps that ClusterPolicies give, the object itself among them where it is one."""
    policies = [*objects.get(CLUSTER_POLICY, {}).values(), *([tree] if (ref.group, ref.kind) == CLUSTER_POLICY else [])]
    named = (text(policy, "spec", component, "config", "name") for policy in policies for component in _COMPONENTS)
    return frozenset(filter(None, named))


def new_errors(
    ref: ObjectRef, was: Tree, now: Tree, objects: Objects, parse: Callable[[str], Tree], table: MigTable
) -> tuple[Problem, ...]:
    """Errors of the object as it is to be that it had not before, `was` being its tree until now, or none.

    `objects` are those beside it, which stay as they are. An error that moves to another place in the object is no new
    one: of each rule only what is more than before counts.
    """
    kind = (ref.group, ref.kind)
    others = {**objects, kind: {one: tree for one, tree in objects.get(kind, {}).items() if one != ref}}
    before = list(_errors(ref, was, was, others, parse, table)) if isinstance(was, dict) else []
    after = list(_errors(ref, now, was, others, parse, table))
    allowed, known = Counter(one.rule for one in before), {_spot(one) for one in before}
    more = Counter(one.rule for one in after) - allowed
    fresh = {rule: [one for one in after if one.rule == rule] for rule in more}
    return tuple(one for found in fresh.values() for one in _first(found, lambda one: _spot(one) not in known))


def _first(found: list[Problem], preferred: Callable[[Problem], bool]) -> Iterable[Problem]:
    return list(filter(preferred, found)) or found


def _spot(one: Problem) -> tuple[object, ...]:
    return one.rule, one.path, one.embedded, one.message


def _errors(
    ref: ObjectRef, tree: Tree, twin: Tree, others: Objects, parse: Callable[[str], Tree], table: MigTable
) -> Iterator[Problem]:
    """Of rules that speak for several objects at one of them, this object is the one that Git declares."""
    kind = (ref.group, ref.kind)
    live = {**others, kind: {**others[kind], ref: twin}} if isinstance(twin, dict) else others
    for one in problems(World({kind: {ref: tree}}, parse, table, live=live), CHECKERS):
        if one.severity == "error" and not one.absent:
            yield one
