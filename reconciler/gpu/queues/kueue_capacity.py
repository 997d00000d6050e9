"""Owns the rules about whether Kueue's quota is there to be had: nodes behind it, lenders in the cohort. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from reconciler.gpu.checker import Checker
from reconciler.gpu.mig.maps import PRODUCT
from reconciler.gpu.problem import Problem
from reconciler.gpu.queues.amounts import shown
from reconciler.gpu.queues.held import declared, held
from reconciler.gpu.queues.kueue import CHECK, CLUSTER_QUEUE, COHORT, FLAVOR, cohort_of, cohorts, quotas
from reconciler.gpu.tolerant import amount, mapping, mappings, node_labels, text, texts
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "Q-14": "The quota of a flavor is within what its nodes can give",
    "Q-15": "A queue that may borrow has somebody to borrow from",
    "Q-16": "A flavor does not select nodes by a product name that sharing or MIG changes",
}
_REWRITTEN: Final = re.compile(r"-(SHARED|MIG-\d+(c\.\d+)?g\.\d+gb\S*)$")
# Their capacity is not in this cluster, or not yet.
_ELSEWHERE: Final = frozenset({"kueue.x-k8s.io/multikueue", "kueue.x-k8s.io/provisioning-request"})
_Pair = tuple[str, str]  # flavor, resource


class _Promise(NamedTuple):
    """What is promised of one resource in one flavor: how much, by how many, and who tells of it."""

    total: Decimal
    holders: int
    ref: ObjectRef | None
    path: Path


_NOTHING: Final = _Promise(Decimal(0), 0, None, ())


def _promises(world: World) -> dict[_Pair, _Promise]:
    """The sums of quota by flavor and resource over all ClusterQueues and Cohorts whose capacity is in the cluster."""
    checks = held(world, *CHECK)
    elsewhere = {name for name, tree in checks.items() if text(tree, "spec", "controllerName") in _ELSEWHERE}
    sums: dict[_Pair, _Promise] = {}
    for kind in (CLUSTER_QUEUE, COHORT):
        ours = declared(world, *kind)
        for name, tree in held(world, *kind).items():
            if not elsewhere.isdisjoint(_checks_of(tree)):
                continue
            for quota in quotas(tree):
                if quota.nominal is not None and quota.nominal > 0:
                    pair = quota.flavor, quota.resource
                    promise = sums.get(pair, _NOTHING)
                    if promise.ref is None and name in ours:
                        place = (*quota.path, "nominalQuota")
                        promise = promise._replace(ref=ObjectRef(*kind, "", name), path=place)
                    total = promise.total + quota.nominal
                    sums[pair] = promise._replace(total=total, holders=promise.holders + 1)
    return sums


def _checks_of(tree: Tree) -> set[str]:
    ruled = (text(rule, "name") for _, rule in mappings(tree, "spec", "admissionChecksStrategy", "admissionChecks"))
    return {*ruled, *(name for _, name in texts(tree, "spec", "admissionChecks"))}


class _Nodes(NamedTuple):
    """What nodes give, by flavor and resource, how many nodes a flavor has; and what any node gives at all."""

    allocatable: Mapping[_Pair, Decimal]
    counts: Mapping[str, int]
    resources: frozenset[str]


def _nodes(world: World) -> _Nodes:
    flavors = {name: mapping(tree, "spec", "nodeLabels") for name, tree in held(world, *FLAVOR).items()}
    sums: dict[_Pair, Decimal] = defaultdict(Decimal)
    counts: dict[str, int] = defaultdict(int)
    resources: set[str] = set()
    for _, labels, node in node_labels(world):
        gives = {name: amount(value) or Decimal(0) for name, value in mapping(node, "status", "allocatable").items()}
        resources.update(gives)
        for flavor, wanted in flavors.items():
            if all(isinstance(value, str) and labels.get(key) == value for key, value in wanted.items()):
                counts[flavor] += 1
                for name, value in gives.items():
                    sums[flavor, name] += value
    return _Nodes(sums, {flavor: counts[flavor] for flavor in flavors}, frozenset(resources))


def _untenable(world: World) -> dict[ObjectRef, list[tuple[_Pair, _Promise]]]:
    """Promises above what nodes give, by the object that tells of them.

    What no node gives at all is not counted by nodes: devices of DRA under a name of Kueue's own, for instance.
    """
    nodes = _nodes(world)
    found: dict[ObjectRef, list[tuple[_Pair, _Promise]]] = defaultdict(list)
    for (flavor, resource), promise in _promises(world).items():
        judged = promise.ref is not None and resource in nodes.resources and flavor in nodes.counts
        if judged and promise.ref and promise.total > nodes.allocatable.get((flavor, resource), 0):
            found[promise.ref].append(((flavor, resource), promise))
    return found


def _check_capacity(ref: ObjectRef, _tree: Tree, world: World) -> Iterator[Problem]:
    for (flavor, resource), promise in world.once(_untenable).get(ref._replace(namespace=""), ()):
        nodes = world.once(_nodes)
        has = shown(nodes.allocatable.get((flavor, resource), Decimal(0)), resource)
        promised, count = shown(promise.total, resource), nodes.counts[flavor]
        message = (
            f"flavor {flavor}: queues and cohorts ({promise.holders}) have a quota of {promised} {resource},"
            f" but {f'its nodes ({count}) give {has}' if count else 'no node has its labels'}"
        )
        fix = f"lower nominalQuota to {has} in all, or correct nodeLabels of the ResourceFlavor {flavor}"
        yield Problem("Q-14", "warning", ref, promise.path, message, fix)


def _lent(world: World) -> dict[tuple[str, str, str], Decimal]:
    """What is to be lent, by uppermost cohort, flavor and resource."""
    known = world.once(cohorts)
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    members = [(cohort_of(tree)[0], tree) for tree in known.queues.values()]
    for cohort, tree in [*members, *known.cohorts.items()]:
        top = known.top(cohort)
        for quota in quotas(tree) if top else ():
            sums[top, quota.flavor, quota.resource] += max(quota.lendable, Decimal(0))
    return sums


def _check_lenders(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    cohort = cohort_of(tree)[0]
    top = world.once(cohorts).top(cohort)
    for quota in quotas(tree) if top else ():
        depends = quota.nominal == 0 and quota.borrowing is None
        if not (depends or (quota.borrowing is not None and quota.borrowing > 0)):
            continue
        others = world.once(_lent).get((top, quota.flavor, quota.resource), Decimal(0)) - max(
            quota.lendable, Decimal(0)
        )
        if others <= 0:
            limit = "without limit" if quota.borrowing is None else f"up to {shown(quota.borrowing, quota.resource)}"
            message = (
                f"{ref.short} may borrow {quota.resource} of flavor {quota.flavor} {limit},"
                f" but nobody in the cohort {top} lends any"
            )
            path = (*quota.path, "nominalQuota" if depends else "borrowingLimit")
            fix = f"give another member of {top} quota to lend, or raise nominalQuota here"
            yield Problem("Q-15", "warning", ref, path, message, fix)


def _check_product(ref: ObjectRef, tree: Tree, _world: World) -> Iterator[Problem]:
    product = text(tree, "spec", "nodeLabels", PRODUCT)
    rewritten = _REWRITTEN.search(product)
    if rewritten:
        message = (
            f"{ref.short} selects {PRODUCT}={product[:80]}: GPU feature discovery changes the ending"
            f" {rewritten.group()[:40]} with sharing and MIG, and the flavor loses its nodes"
        )
        fix = "select by a label of your own, such as the one that chooses the MIG layout or sharing config"
        yield Problem("Q-16", "warning", ref, ("spec", "nodeLabels", PRODUCT), message, fix)


CHECKERS: Final[tuple[Checker, ...]] = (
    Checker((CLUSTER_QUEUE, COHORT), _check_capacity),
    Checker((CLUSTER_QUEUE,), _check_lenders),
    Checker((FLAVOR,), _check_product),
)
