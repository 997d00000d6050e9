"""Owns what counts as a user: live Pods, and what will make Pods. Must not know classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from reconciler.gpu.templates import WORKLOADS, pod_templates
from reconciler.gpu.tolerant import mappings, text
from reconciler.gpu.users.kinds import POD
from reconciler.gpu.world import GroupKind
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree

State = Literal["running", "pending", "templates", "claims"]
Objects = Mapping[GroupKind, Mapping[ObjectRef, Tree]]
_PHASES: Final = (("phase",), ("jobStatus",), ("state", "phase"), ("applicationState", "state"))
_OVER: Final = frozenset({"complete", "completed", "failed", "finished", "stopped", "succeeded"})
# Of a Rollout of Argo's, it is the step to a new version that is complete.
_ENDLESS: Final = frozenset({"Rollout"})
# A Pod of a Job of a JobSet of an AppWrapper.
_OWNERS: Final = 6


@dataclass(frozen=True, slots=True)
class Subject:
    """A Pod, or a workload that no other made.

    A Pod runs once it has a node: from then on it holds what it asked for. `holders` are the Pod templates in `tree`,
    for a Pod itself.
    """

    ref: ObjectRef
    state: State
    node: str
    tree: Tree
    holders: tuple[Tree, ...]


def subjects(objects: Objects) -> Iterator[Subject]:
    """All that use something now or will. Workloads that are over, or made by others, are kept without templates."""
    for ref, pod in objects.get(POD, {}).items():
        phase, node = text(pod, "status", "phase"), text(pod, "spec", "nodeName")
        if phase not in ("Succeeded", "Failed"):
            yield Subject(ref, "running" if node or phase == "Running" else "pending", node, pod, (pod,))
    for kind in WORKLOADS:
        for ref, tree in objects.get(kind, {}).items() if kind != POD else ():
            holders = tuple(found for _, found in pod_templates(tree))
            if holders:
                yield Subject(ref, "templates", "", tree, holders)


def over(tree: Tree) -> bool:
    """Whether a job has ended, as the kinds that end say it: those of Kubeflow, Kueue, Ray, Spark, Volcano too."""
    if text(tree, "kind") in _ENDLESS:
        return False
    if text(tree, "status", "completionTime") or any(text(tree, "status", *at).lower() in _OVER for at in _PHASES):
        return True
    ended = (one for _, one in mappings(tree, "status", "conditions") if text(one, "status") == "True")
    return any(text(one, "type").lower() in _OVER for one in ended)


def made(tree: Tree) -> bool:
    """Whether a workload that is looked at itself made the object, so that it goes and comes with that."""
    owners = (one for _, one in mappings(tree, "metadata", "ownerReferences") if one.get("controller") is True)
    return any((split_api_version(text(one, "apiVersion"))[0], text(one, "kind")) in WORKLOADS for one in owners)


def owners(ref: ObjectRef, tree: Tree) -> Iterator[tuple[ObjectRef, bool]]:
    """Who owns an object, and whether as its controller. Owners share its namespace, or have none."""
    for _, one in mappings(tree, "metadata", "ownerReferences"):
        group = split_api_version(text(one, "apiVersion"))[0]
        yield ObjectRef(group, text(one, "kind"), ref.namespace, text(one, "name")), one.get("controller") is True


def controller(ref: ObjectRef, tree: Tree) -> ObjectRef | None:
    """Who made an object."""
    return next((owner for owner, controls in owners(ref, tree) if controls), None)


def chain(ref: ObjectRef, tree: Tree, objects: Objects) -> tuple[tuple[ObjectRef, Tree], ...]:
    """An object and the controllers over it, nearest first; ABSENT for one that is not there."""
    found = [(ref, tree)]
    while len(found) <= _OWNERS:
        above = controller(*found[-1])
        if above is None:
            break
        found.append((above, objects.get((above.group, above.kind), {}).get(above, ABSENT)))
    return tuple(found)
