"""Owns how quota stands in Kueue's ClusterQueues and Cohorts, in all versions, and how these hang together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from reconciler.gpu.queues.held import held
from reconciler.gpu.queues.hierarchy import Hierarchy, hierarchy
from reconciler.gpu.tolerant import amount, mappings, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.tree import Tree, child

GROUP: Final = "kueue.x-k8s.io"
CLUSTER_QUEUE: Final = (GROUP, "ClusterQueue")
COHORT: Final = (GROUP, "Cohort")
FLAVOR: Final = (GROUP, "ResourceFlavor")
TOPOLOGY: Final = (GROUP, "Topology")
CHECK: Final = (GROUP, "AdmissionCheck")
GROUPS: Final = ("spec", "resourceGroups")


class Quota(NamedTuple):
    """The quota of one resource in one flavor; what is left out, or is no quantity, is None."""

    path: Path
    flavor: str
    resource: str
    nominal: Decimal | None
    borrowing: Decimal | None
    lending: Decimal | None

    @property
    def lendable(self) -> Decimal:
        """What others in the cohort may get of it."""
        nominal = self.nominal or Decimal(0)
        return nominal if self.lending is None else min(nominal, self.lending)


def quotas(tree: Tree) -> Iterator[Quota]:
    """All quotas of a ClusterQueue or Cohort."""
    for at, group in mappings(tree, *GROUPS):
        for place, flavor in mappings(group, "flavors"):
            for index, resource in mappings(flavor, "resources"):
                path = (*GROUPS, at, "flavors", place, "resources", index)
                limits = (amount(child(resource, name)) for name in ("nominalQuota", "borrowingLimit", "lendingLimit"))
                yield Quota(path, text(flavor, "name"), text(resource, "name"), *limits)


def cohort_of(tree: Tree) -> tuple[str, Path]:
    """The cohort of a ClusterQueue and where it stands: `spec.cohort` in v1beta1, `spec.cohortName` after."""
    return _either(tree, "cohortName", "cohort")


def parent_of(tree: Tree) -> tuple[str, Path]:
    """The parent of a Cohort and where it stands: `spec.parent` in v1alpha1, `spec.parentName` after."""
    return _either(tree, "parentName", "parent")


def _either(tree: Tree, now: str, before: str) -> tuple[str, Path]:
    name = text(tree, "spec", now)
    earlier = "" if name else text(tree, "spec", before)
    return (earlier, ("spec", before)) if earlier else (name, ("spec", now))


@dataclass(frozen=True, slots=True)
class Cohorts:
    """ClusterQueues and Cohorts by name, and the tree of Cohorts. A cohort that is no object has no parent."""

    queues: Mapping[str, Tree]
    cohorts: Mapping[str, Tree]
    tree: Hierarchy

    def top(self, cohort: str) -> str:
        """The uppermost cohort over one; "" where there is none: no cohort at all, or one below a cycle."""
        return self.tree.tops.get(cohort, "" if cohort in self.cohorts else cohort)


def cohorts(world: World) -> Cohorts:
    """All of them."""
    named = held(world, *COHORT)
    tree = hierarchy({name: parent_of(one)[0] for name, one in named.items()})
    return Cohorts(held(world, *CLUSTER_QUEUE), named, tree)
