"""Owns the rules about what Kueue's objects refer to: flavors, checks, topologies, the cohorts over them. Pure.

A cohort need not be an object: queues that name the same cohort share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.queues.held import held
from reconciler.gpu.queues.kueue import (
    CHECK,
    CLUSTER_QUEUE,
    COHORT,
    FLAVOR,
    GROUPS,
    TOPOLOGY,
    cohorts,
    parent_of,
)
from reconciler.gpu.tolerant import mapping, mappings, some, text, texts
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "Q-11": "Flavors, admission checks and topologies that Kueue's objects name are there",
    "Q-12": "Cohorts form a tree",
    "Q-13": "A flavor with a topology selects nodes",
}
_STRATEGY: Final = ("spec", "admissionChecksStrategy", "admissionChecks")


def _flavors(world: World) -> dict[str, Tree]:
    return held(world, *FLAVOR)


def _checks(world: World) -> dict[str, Tree]:
    return held(world, *CHECK)


def _topologies(world: World) -> dict[str, Tree]:
    return held(world, *TOPOLOGY)


def _named_flavors(tree: Tree) -> dict[str, Path]:
    """Each flavor that a queue or cohort names, and where it does so first."""
    named: dict[str, Path] = {}
    for at, group in mappings(tree, *GROUPS):
        for place, flavor in mappings(group, "flavors"):
            named.setdefault(text(flavor, "name"), (*GROUPS, at, "flavors", place, "name"))
    named.pop("", None)
    return named


def _check_queue(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    named = _named_flavors(tree)
    for flavor, path in named.items():
        if flavor not in world.once(_flavors):
            yield _missing(ref, path, "ResourceFlavor", flavor, "Kueue stops the queue until it is there")
    checks = [(("spec", "admissionChecks", index), name) for index, name in texts(tree, "spec", "admissionChecks")]
    ruled = [((*_STRATEGY, index, "name"), text(rule, "name")) for index, rule in mappings(tree, *_STRATEGY)]
    for place, check in [*checks, *ruled]:
        if check and check not in world.once(_checks):
            yield _missing(ref, place, "AdmissionCheck", check, "Kueue stops the queue until it is there")
    for index, rule in mappings(tree, *_STRATEGY):
        for position, flavor in texts(rule, "onFlavors"):
            if flavor not in named:
                message = (
                    f"{ref.short}: the check {text(rule, 'name')} is for the flavor {flavor!r}, which the queue lacks"
                )
                where = (*_STRATEGY, index, "onFlavors", position)
                yield Problem("Q-11", "warning", ref, where, message, f"name one of {some(list(named), 8)}")


def _check_cohort(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    for flavor, path in _named_flavors(tree).items():
        if flavor not in world.once(_flavors):
            yield _missing(ref, path, "ResourceFlavor", flavor, "no queue can use this quota", "warning")
    known = world.once(cohorts)
    if ref.name in known.tree.cyclic:
        message = f"{ref.short} is its own ancestor: {known.tree.cycle(ref.name)}; no queue below it admits anything"
        fix = "give one cohort of the cycle another parent, or none"
        yield Problem("Q-12", "error", ref, parent_of(tree)[1], message, fix)


def _check_flavor(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    topology, path = text(tree, "spec", "topologyName"), ("spec", "topologyName")
    if not topology:
        return
    if topology not in world.once(_topologies):
        yield _missing(ref, path, "Topology", topology, "Kueue stops queues of this flavor until it is there")
    if not mapping(tree, "spec", "nodeLabels"):
        message = f"{ref.short} has the topology {topology}, but selects no nodes: Kueue refuses it"
        yield Problem("Q-13", "error", ref, path, message, "add a label of its nodes to spec.nodeLabels")


def _missing(ref: ObjectRef, path: Path, kind: str, name: str, effect: str, severity: Severity = "error") -> Problem:
    message = f"{ref.short} names the {kind} {name!r}, which does not exist: {effect}"
    fix = f"declare the {kind} {name!r}, or correct the name"
    return Problem("Q-11", severity, ref, path, message, fix, absent=True)


CHECKERS: Final[tuple[Checker, ...]] = (
    Checker((CLUSTER_QUEUE,), _check_queue),
    Checker((COHORT,), _check_cohort),
    Checker((FLAVOR,), _check_flavor),
)
