"""Owns the rule about resource groups of Kueue's ClusterQueues and Cohorts: order, limits, sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.queues.amounts import shown
from reconciler.gpu.queues.kueue import CLUSTER_QUEUE, COHORT, GROUPS, Quota, cohort_of, parent_of, quotas
from reconciler.gpu.tolerant import length, mappings, some, text, texts
from reconciler.gpu.world import World
from reconciler.model.path import Path, follow
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child

RULES: Final[Mapping[str, str]] = {
    "Q-10": "Flavors of a Kueue queue list the covered resources in order, within Kueue's limits and the cohort's",
}
# What Kueue's schema and webhook take; the totals, of ClusterQueues alone.
MOST_GROUPS: Final = 16
MOST_FLAVORS: Final = 64
MOST_TOTAL: Final = 256
MOST_COMBINATIONS: Final = 512


def _check(ref: ObjectRef, tree: Tree, _world: World) -> Iterator[Problem]:
    is_queue = ref.kind == CLUSTER_QUEUE[1]
    over, _ = cohort_of(tree) if is_queue else parent_of(tree)
    for quota in quotas(tree):
        yield from _check_quota(ref, quota, is_queue=is_queue)
        if not over:
            yield from _check_limits(ref, tree, quota, "cohort" if is_queue else "parent")
    for at, group in mappings(tree, *GROUPS):
        yield from _check_order(ref, (*GROUPS, at), group)
    yield from _check_uniqueness(ref, tree)
    yield from _check_sizes(ref, tree, is_queue=is_queue)


def _error(ref: ObjectRef, path: Path, message: str, fix: str) -> Problem:
    return Problem("Q-10", "error", ref, path, f"{ref.short}: {message}", fix)


def _check_quota(ref: ObjectRef, quota: Quota, *, is_queue: bool) -> Iterator[Problem]:
    what = f"{quota.resource} in flavor {quota.flavor}"
    values = {"nominalQuota": quota.nominal, "borrowingLimit": quota.borrowing, "lendingLimit": quota.lending}
    for field, value in values.items():
        if value is not None and value < 0:
            message = f"{field} of {what} is {shown(value, quota.resource)}, below 0"
            yield _error(ref, (*quota.path, field), message, "write 0 or more, or leave a limit out for no limit")
    if is_queue and quota.lending is not None and quota.nominal is not None and quota.lending > quota.nominal:
        lending, nominal = shown(quota.lending, quota.resource), shown(quota.nominal, quota.resource)
        message = f"lends up to {lending} {what}, but its nominalQuota is {nominal}"
        yield _error(ref, (*quota.path, "lendingLimit"), message, f"lower lendingLimit to {nominal} or less")


def _check_limits(ref: ObjectRef, tree: Tree, quota: Quota, over: str) -> Iterator[Problem]:
    for field in ("borrowingLimit", "lendingLimit"):
        if child(follow(quota.path, tree), field) not in (ABSENT, None):
            message = f"{field} of {quota.resource} in flavor {quota.flavor} is set, but there is no {over}"
            yield _error(ref, (*quota.path, field), message, f"name a {over}, or remove {field}")


def _check_order(ref: ObjectRef, path: Path, group: Tree) -> Iterator[Problem]:
    covered = [name for _, name in texts(group, "coveredResources")]
    for place, flavor in mappings(group, "flavors"):
        listed = [text(resource, "name") for _, resource in mappings(flavor, "resources")]
        if listed == covered:
            continue
        where, name = (*path, "flavors", place, "resources"), text(flavor, "name")
        lacking, strange = sorted(set(covered) - set(listed)), sorted(set(listed) - set(covered))
        if lacking or strange:
            faults = [f"lacks {some(lacking)}"] if lacking else []
            faults += [f"has {some(strange)}, which coveredResources lacks"] if strange else []
            message = f"flavor {name} {' and '.join(faults)}"
        else:
            message = f"flavor {name} lists {some(listed, 8)}, but coveredResources is {some(covered, 8)}"
        yield _error(ref, where, message, "list exactly the coveredResources in each flavor, in their order")


def _check_uniqueness(ref: ObjectRef, tree: Tree) -> Iterator[Problem]:
    flavors: dict[str, int] = {}
    resources: dict[str, int] = {}
    for at, group in mappings(tree, *GROUPS):
        path = (*GROUPS, at)
        names = [((*path, "coveredResources", index), name) for index, name in texts(group, "coveredResources")]
        yield from _check_once(ref, at, "resource", names, resources)
        places = mappings(group, "flavors")
        named = [((*path, "flavors", index, "name"), text(flavor, "name")) for index, flavor in places]
        yield from _check_once(ref, at, "flavor", named, flavors)


def _check_once(
    ref: ObjectRef, at: int, what: str, names: Sequence[tuple[Path, str]], seen: dict[str, int]
) -> Iterator[Problem]:
    for path, name in names:
        if name and name in seen:
            where = "twice in one group" if seen[name] == at else f"in groups {seen[name]} and {at}"
            message = f"the {what} {name} stands {where}; it may stand in one group, once"
            yield _error(ref, path, message, f"remove the second {name}, or put what it serves into one group")
        seen.setdefault(name, at)


def _check_sizes(ref: ObjectRef, tree: Tree, *, is_queue: bool) -> Iterator[Problem]:
    groups = dict(mappings(tree, *GROUPS))
    yield from _check_size(ref, GROUPS, "resourceGroups", length(tree, *GROUPS), MOST_GROUPS)
    for at, group in groups.items():
        path = (*GROUPS, at)
        for field in ("flavors", "coveredResources"):
            yield from _check_size(ref, (*path, field), f"{field} in group {at}", length(group, field), MOST_FLAVORS)
        if is_queue:
            combinations = sum(length(flavor, "resources") for _, flavor in mappings(group, "flavors"))
            what = f"pairs of flavor and resource in group {at}"
            yield from _check_size(ref, path, what, combinations, MOST_COMBINATIONS)
    for field in ("flavors", "coveredResources") if is_queue else ():
        total = sum(length(group, field) for group in groups.values())
        yield from _check_size(ref, GROUPS, f"{field} in all groups", total, MOST_TOTAL)


def _check_size(ref: ObjectRef, path: Path, what: str, count: int, most: int) -> Iterator[Problem]:
    if count > most:
        yield _error(ref, path, f"has {count} {what}; Kueue takes {most}", f"split it, or remove {count - most}")


CHECKERS: Final[tuple[Checker, ...]] = (Checker((CLUSTER_QUEUE, COHORT), _check),)
