"""Owns the words of a blast radius: a class as its users name it, and who uses it. Must not find or word them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from reconciler.model.tree import Tree

Family = Literal[
    "DeviceClass",
    "ClaimTemplate",
    "Claim",
    "ComputeDomain",
    "Resource",
    "MigLayout",
    "SharingConfig",
    "GpuProfile",
    "Driver",
    "GpuNodes",
    "Node",
    "RuntimeClass",
    "PriorityClass",
    "Namespace",
    "KaiQueue",
    "ClusterQueue",
    "LocalQueue",
    "Cohort",
    "ResourceFlavor",
    "VolcanoQueue",
]
"""By what users of a class are found; several kinds may define what one family names, and one object several."""


class ClassName(NamedTuple):
    """A class by the name that its users use; `namespace/name` where it has a namespace, "" for all GPU nodes."""

    family: Family
    name: str

    def __str__(self) -> str:
        return f"{self.family} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A namespace with users: how many objects of it use the class, and who owns it by its labels, "" if none say."""

    namespace: str
    owner: str
    users: int


@dataclass(frozen=True, slots=True)
class Users:
    """Who uses one class. Counts are of all, `tenants` and `examples` of the first few only.

    `running` Pods hold it, `pending` Pods wait for it, `templates` (Deployments, claim templates …) will ask for it,
    `claims` are ResourceClaims that are allocated. `nodes` offer it. `others` counts what else names it, by kind:
    ResourceQuota, LocalQueue, ClusterQueue, a DeviceClass of the same extended resource name. `namespaces` is how many
    have users; `examples` are like "Pod ml/train-0".
    """

    running: int = 0
    pending: int = 0
    templates: int = 0
    claims: int = 0
    nodes: int = 0
    others: Mapping[str, int] = field(default_factory=dict)
    namespaces: int = 0
    tenants: tuple[Tenant, ...] = ()
    examples: tuple[str, ...] = ()


NOBODY = Users()


@dataclass(frozen=True, slots=True)
class Census:
    """Who uses which class in a cluster, as it was at `at` (RFC 3339).

    A class that is not among `classes` has no users that can be seen; `unseen` are kinds that could not be read, as
    policies name them (`apps/Deployment`, `Pod`, "*" for all), with the reason: then nobody knows, and nobody says "no
    users". `neighbours` are the live objects of the few kinds that rules need beside an object (classes, queues,
    flavors), as `shrink` leaves them, the ConfigMaps that a ClusterPolicy names, and a stand-in for the nodes of each
    GPU model.
    """

    at: str
    classes: Mapping[ClassName, Users] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    neighbours: tuple[Tree, ...] = ()
