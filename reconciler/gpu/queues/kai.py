"""Owns the rules about KAI queues (scheduling.run.ai): their numbers, their tree, what runs in them. Pure.

Numbers are plain: -1 is unlimited, absent is 0. GPUs count in units, CPU in millicores, memory in MB (10^6 bytes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.queues.amounts import number, shown
from reconciler.gpu.queues.held import declared, held
from reconciler.gpu.queues.hierarchy import Hierarchy, hierarchy, tellers
from reconciler.gpu.templates import WORKLOADS, label, pod_templates
from reconciler.gpu.tolerant import amount, mapping, some, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child, dig

RULES: Final[Mapping[str, str]] = {
    "Q-01": "A KAI queue has resources",
    "Q-02": "The limit of a KAI queue is not below its quota",
    "Q-03": "The quotas of KAI queues fit into their parent's",
    "Q-04": "KAI queues form a tree, and jobs are in its leaves",
    "Q-05": "Numbers of a KAI queue are not negative, but for -1 (unlimited)",
    "Q-06": "A KAI queue keeps what runs in it within its limit and quota",
}
KIND: Final = ("scheduling.run.ai", "Queue")
QUEUE_LABEL: Final = "kai.scheduler/queue"
# What KAI's chart creates by itself, now and in early releases.
BUILT_IN: Final = frozenset({"default", "default-queue", "default-parent-queue"})
# Queues of this version have no resources; what they have instead is not judged.
_BEFORE: Final = "scheduling.run.ai/v1"
_UNLIMITED: Final = Decimal(-1)
_ZERO: Final = Decimal(0)


class _Resource(NamedTuple):
    """A resource of queues: its unit, and how many of it one unit of a quantity is."""

    name: str
    unit: str
    scale: Decimal


_RESOURCES: Final = (
    _Resource("gpu", "GPUs", Decimal(1)),
    _Resource("cpu", "millicores of CPU", Decimal(1000)),
    _Resource("memory", "MB of memory", Decimal(1).scaleb(-6)),
)
_NUMBERS: Final = ("quota", "limit", "overQuotaWeight", "lendingLimit")


@dataclass(frozen=True, slots=True)
class _Queues:
    """All queues by name, their tree, and for each name whose parents' books that queue tells of."""

    trees: Mapping[str, Tree]
    tree: Hierarchy
    tells: Mapping[str, tuple[str, ...]]


def _queues(world: World) -> _Queues:
    trees = held(world, *KIND)
    tree = hierarchy({name: text(one, "spec", "parentQueue") for name, one in trees.items()})
    return _Queues(trees, tree, tellers(tree, declared(world, *KIND)))


def _check_queue(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    resources = dig(tree, "spec", "resources")
    if not isinstance(resources, dict) and text(tree, "apiVersion") != _BEFORE:
        yield Problem(
            "Q-01",
            "error",
            ref,
            ("spec", "resources"),
            f"queue {ref.name} has no resources: KAI refuses a queue without them",
            "declare spec.resources with quota and limit for gpu, cpu and memory (-1 is unlimited)",
        )
    for resource in _RESOURCES:
        yield from _check_numbers(ref, child(resources, resource.name), resource)
        yield from _check_use(ref, child(resources, resource.name), resource, world)
    yield from _check_place(ref, tree, world)
    yield from _check_sums(ref, world)


def _check_numbers(ref: ObjectRef, declared_numbers: Tree, resource: _Resource) -> Iterator[Problem]:
    path = ("spec", "resources", resource.name)
    for field in _NUMBERS:
        written = child(declared_numbers, field)
        if written is ABSENT or written is None:
            continue
        value = number(written)
        if value is None:
            wrong = f"{str(written)[:40] if isinstance(written, str) else 'something else'!r}, not a plain number"
        elif value < 0 and (value != _UNLIMITED or field not in {"quota", "limit"}):
            wrong = f"{shown(value)}: only quota and limit may be negative, and only -1 (unlimited)"
        else:
            continue
        message = f"queue {ref.name}: {resource.name} {field} is {wrong}"
        yield Problem("Q-05", "error", ref, (*path, field), message, f"write {_advice(field, resource)}")
    yield from _check_limit(ref, declared_numbers, resource)


def _advice(field: str, resource: _Resource) -> str:
    wanted = "a number of 0 or more" if field == "overQuotaWeight" else f"a number of {resource.unit}"
    return f"{wanted}, or -1 for unlimited" if field in {"quota", "limit"} else wanted


def _check_limit(ref: ObjectRef, declared_numbers: Tree, resource: _Resource) -> Iterator[Problem]:
    quota, limit = _number(declared_numbers, "quota"), _number(declared_numbers, "limit")
    if limit == _UNLIMITED or (quota != _UNLIMITED and limit >= quota) or limit < 0 or quota < _UNLIMITED:
        return
    absent = child(declared_numbers, "limit") in (ABSENT, None)
    written = "absent, which is 0" if absent else _worded(limit, resource)
    path = ("spec", "resources", resource.name, *(() if absent else ("limit",)))
    message = (
        f"queue {ref.name}: its {resource.name} limit is {written}, below its quota ({_worded(quota, resource)}):"
        " it never gets what it is guaranteed"
    )
    way_out = "set limit to -1" if quota == _UNLIMITED else f"raise limit to {shown(quota)} or more, or to -1"
    yield Problem("Q-02", "error", ref, path, message, f"{way_out}, or lower quota")


def _check_use(ref: ObjectRef, declared_numbers: Tree, resource: _Resource, world: World) -> Iterator[Problem]:
    """Compare with what the live queue says it has given out; nothing brings that back by itself."""
    live = world.live_twin(ref)
    for field, column, what in (
        ("limit", "allocated", "in use"),
        ("quota", "allocatedNonPreemptible", "held for good"),
    ):
        bound, used = _number(declared_numbers, field), _used(mapping(live, "status", column), resource)
        if bound == _UNLIMITED or bound < 0 or used <= bound:
            continue
        message = (
            f"queue {ref.name}: its {resource.name} {field} of {_worded(bound, resource)} is below"
            f" the {_worded(used, resource)} that are {what} (status.{column})"
        )
        drain = "drain the queue first" if field == "limit" else "stop workloads that are not preemptible first"
        path = ("spec", "resources", resource.name, field)
        yield Problem("Q-06", "warning", ref, path, message, f"keep {field} at {shown(used)} or more, or {drain}")


def _used(amounts: Mapping[str, Tree], resource: _Resource) -> Decimal:
    counted = [value for name, value in amounts.items() if name == resource.name or name.endswith(f"/{resource.name}")]
    return sum(((amount(value) or _ZERO) * resource.scale for value in counted), _ZERO)


def _check_place(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    known, parent, path = world.once(_queues), text(tree, "spec", "parentQueue"), ("spec", "parentQueue")
    if ref.name in known.tree.cyclic:
        message = (
            f"queue {ref.name} is its own ancestor: {known.tree.cycle(ref.name)}; no queue of a cycle gets anything"
        )
        yield Problem("Q-04", "error", ref, path, message, "give one queue of the cycle another parent, or none")
    elif parent and parent not in known.trees and (world.clustered or parent not in BUILT_IN):
        message = f"queue {ref.name}: its parent {parent!r} does not exist"
        fix = f"declare the queue {parent!r}, or correct spec.parentQueue"
        yield Problem("Q-04", "error", ref, path, message, fix, absent=True)


def _check_sums(ref: ObjectRef, world: World) -> Iterator[Problem]:
    known = world.once(_queues)
    for parent in known.tells.get(ref.name, ()):
        for resource in _RESOURCES:
            path = ("spec", "resources", resource.name)
            quota = _number(dig(known.trees[parent], *path), "quota")
            children = {name: _number(dig(known.trees[name], *path), "quota") for name in known.tree.children[parent]}
            endless = _UNLIMITED in children.values()
            total = sum((value for value in children.values() if value > 0), _ZERO)
            if quota < 0 or not (endless or total > quota):
                continue
            largest = max(children, key=lambda name: (children[name] == _UNLIMITED, children[name], name))
            message = (
                f"queues below {parent} ({len(children)}) are guaranteed {_worded(total, resource, endless=endless)},"
                f" but {parent} has a quota of {_worded(quota, resource)}; the largest is {largest}"
            )
            place = path if ref.name == parent else ("spec", "parentQueue")
            way_out = (
                "lower their quotas" if endless else f"raise the quota of {parent} to {shown(total)}, or lower theirs"
            )
            yield Problem("Q-03", "warning", ref, place, message, way_out)


def _check_job(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    places = {(): tree, **dict(pod_templates(tree))}
    for path, template in places.items():
        queue = label(template, QUEUE_LABEL)
        below = world.once(_queues).tree.children.get(queue, ()) if queue else ()
        if below:
            message = (
                f"{ref.short} is for the queue {queue}, which has queues below it"
                f" ({some(below)}): KAI runs jobs in leaves only"
            )
            label_path = (*path, "metadata", "labels", QUEUE_LABEL)
            yield Problem("Q-04", "error", ref, label_path, message, "name a queue without children")


def _number(numbers: Tree, field: str) -> Decimal:
    value = number(child(numbers, field))
    return _ZERO if value is None else value


def _worded(value: Decimal, resource: _Resource, *, endless: bool = False) -> str:
    return "unlimited" if endless or value == _UNLIMITED else f"{shown(value)} {resource.unit}"


CHECKERS: Final[tuple[Checker, ...]] = (Checker((KIND,), _check_queue), Checker(WORKLOADS, _check_job))
