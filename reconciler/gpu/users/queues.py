"""Owns how users lead to queues of Kueue, KAI and Volcano, and to what is above these. Must not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.gpu.queues import kai, volcano
from reconciler.gpu.queues.kai import QUEUE_LABEL as KAI_QUEUE
from reconciler.gpu.queues.kueue import CLUSTER_QUEUE, COHORT, GROUPS, cohort_of, parent_of
from reconciler.gpu.templates import label
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.users.kinds import KAI_GROUPS, LOCAL_QUEUE, VOLCANO_GROUPS, WORKLOAD
from reconciler.gpu.users.labels import (
    KAI_GROUP,
    KUEUE_QUEUE,
    VOLCANO_GROUP,
    VOLCANO_QUEUE,
    VOLCANO_QUEUE_BEFORE,
)
from reconciler.gpu.users.model import ClassName, Family
from reconciler.gpu.users.subject import Objects, Subject, chain, owners
from reconciler.gpu.world import GroupKind
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

_VOLCANO_JOBS: Final = frozenset({"batch.volcano.sh", "flow.volcano.sh"})


@dataclass(frozen=True, slots=True)
class Queues:
    """`objects` are those of the cluster. `above`: what users of a queue use beside it.

    `by_group`: the queues of a group of Pods, or of a Workload. `by_owner`: those of the groups that an object owns.
    `flavors`: those that a ClusterQueue may give.
    """

    objects: Objects
    above: Mapping[ClassName, tuple[ClassName, ...]]
    by_group: Mapping[ObjectRef, tuple[ClassName, ...]]
    by_owner: Mapping[ObjectRef, tuple[ClassName, ...]]
    flavors: Mapping[ClassName, tuple[ClassName, ...]]

    def of(self, subject: Subject) -> set[ClassName]:
        """All queues that a subject is in, with those above them."""
        found: set[ClassName] = set()
        for ref, tree in chain(subject.ref, subject.tree, self.objects):
            found.update(_labelled(ref.namespace, tree))
            found.update(self.by_owner.get(ref, ()))
            if ref.group in _VOLCANO_JOBS and (queue := text(tree, "spec", "queue")):
                found.add(ClassName("VolcanoQueue", queue))
        for holder in subject.holders:
            found.update(_labelled(subject.ref.namespace, holder))
            for kind, name in ((KAI_GROUPS, KAI_GROUP), (VOLCANO_GROUPS, VOLCANO_GROUP)):
                group = text(holder, "metadata", "annotations", name)
                found.update(self.by_group.get(ObjectRef(*kind, subject.ref.namespace, group), ()))
        return self._with_flavors(self.with_above(found), subject)

    def _with_flavors(self, names: set[ClassName], subject: Subject) -> set[ClassName]:
        """What runs has been given its flavors; what does not run yet may get any that its queue has."""
        if subject.state == "running":
            return names
        return names.union(*(self.flavors.get(name, ()) for name in names))

    def with_above(self, names: Iterable[ClassName]) -> set[ClassName]:
        """These, and all that is above them, however far."""
        found, waiting = set[ClassName](), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.above.get(name, ()))
        return found


def _labelled(namespace: str, tree: Tree) -> Iterator[ClassName]:
    if queue := label(tree, KUEUE_QUEUE):
        yield ClassName("LocalQueue", f"{namespace}/{queue}")
    if queue := label(tree, KAI_QUEUE):
        yield ClassName("KaiQueue", queue)
    if queue := label(tree, VOLCANO_QUEUE) or text(tree, "metadata", "annotations", VOLCANO_QUEUE_BEFORE):
        yield ClassName("VolcanoQueue", queue)


def queues(objects: Objects) -> Queues:
    """What the queues and groups of a cluster say."""
    above: defaultdict[ClassName, list[ClassName]] = defaultdict(list)
    for _, name, parent in parents(objects):
        above[name].append(parent)
    by_group = {ref: found for ref, found in _groups(objects) if found}
    by_owner: dict[ObjectRef, tuple[ClassName, ...]] = {}
    for ref, found in by_group.items():
        for owner, _ in owners(ref, objects[ref.group, ref.kind][ref]):
            by_owner[owner] = (*by_owner.get(owner, ()), *found)
    given = {
        ClassName("ClusterQueue", ref.name): tuple(ClassName("ResourceFlavor", name) for name in sorted(flavors(tree)))
        for ref, tree in objects.get(CLUSTER_QUEUE, {}).items()
    }
    return Queues(objects, {name: tuple(found) for name, found in above.items()}, by_group, by_owner, given)


def parents(objects: Objects) -> Iterator[tuple[ObjectRef, ClassName, ClassName]]:
    """Each object that is below a queue or cohort: itself, its name as a class, and that of what it is below."""
    for ref, tree in objects.get(LOCAL_QUEUE, {}).items():
        if queue := text(tree, "spec", "clusterQueue"):
            yield ref, ClassName("LocalQueue", f"{ref.namespace}/{ref.name}"), ClassName("ClusterQueue", queue)
    for ref, tree in objects.get(CLUSTER_QUEUE, {}).items():
        if cohort := cohort_of(tree)[0]:
            yield ref, ClassName("ClusterQueue", ref.name), ClassName("Cohort", cohort)
    for ref, tree in objects.get(COHORT, {}).items():
        if parent := parent_of(tree)[0]:
            yield ref, ClassName("Cohort", ref.name), ClassName("Cohort", parent)
    yield from _nested(objects, kai.KIND, "KaiQueue", "parentQueue")
    yield from _nested(objects, volcano.KIND, "VolcanoQueue", "parent")


def _nested(
    objects: Objects, kind: GroupKind, family: Family, field: str
) -> Iterator[tuple[ObjectRef, ClassName, ClassName]]:
    for ref, tree in objects.get(kind, {}).items():
        if parent := text(tree, "spec", field):
            yield ref, ClassName(family, ref.name), ClassName(family, parent)


def groups(objects: Objects) -> Iterator[tuple[ObjectRef, ClassName]]:
    """Workloads of Kueue and PodGroups, each with each queue and flavor that it is in; of what is over none is kept."""
    for ref, found in _groups(objects):
        yield from ((ref, name) for name in found)


def _groups(objects: Objects) -> Iterator[tuple[ObjectRef, tuple[ClassName, ...]]]:
    for ref, tree in objects.get(WORKLOAD, {}).items():
        yield ref, tuple(dict.fromkeys(_admitted(ref, tree)))
    families: tuple[tuple[GroupKind, Family], ...] = ((KAI_GROUPS, "KaiQueue"), (VOLCANO_GROUPS, "VolcanoQueue"))
    for kind, family in families:
        for ref, tree in objects.get(kind, {}).items():
            if queue := text(tree, "spec", "queue"):
                yield ref, (ClassName(family, queue),)


def _admitted(ref: ObjectRef, tree: Tree) -> Iterator[ClassName]:
    if queue := text(tree, "spec", "queueName"):
        yield ClassName("LocalQueue", f"{ref.namespace}/{queue}")
    if queue := text(tree, "status", "admission", "clusterQueue"):
        yield ClassName("ClusterQueue", queue)
    for _, part in mappings(tree, "status", "admission", "podSetAssignments"):
        named = mapping(part, "flavors").values()
        yield from (ClassName("ResourceFlavor", name) for name in named if isinstance(name, str) and name)


def flavors(tree: Tree) -> set[str]:
    """The flavors that a ClusterQueue or Cohort names."""
    found = (text(flavor, "name") for _, group in mappings(tree, *GROUPS) for _, flavor in mappings(group, "flavors"))
    return {name for name in found if name}
