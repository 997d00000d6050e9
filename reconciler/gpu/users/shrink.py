"""Owns what is kept of live objects: which kinds are looked at, and what of each. Must not count users or judge.

Parts that many objects have alike, such as the containers of all Pods of one Deployment, are kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import intern
from typing import Final

from reconciler.gpu.dra.requests import CLAIM, DEVICE_CLASS, SLICE, TEMPLATE
from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE
from reconciler.gpu.queues import kai, volcano
from reconciler.gpu.queues.kueue import CHECK, CLUSTER_QUEUE, COHORT, FLAVOR, TOPOLOGY
from reconciler.gpu.templates import WORKLOADS
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.users.kinds import (
    COMPUTE_DOMAIN,
    DEVICE_CONFIG,
    DRIVER,
    GPU_CLUSTER,
    KAI_GROUPS,
    LOCAL_QUEUE,
    NAMESPACE,
    POD,
    PRIORITY_CLASS,
    QUOTA,
    RUNTIME_CLASS,
    VOLCANO_GROUPS,
    WORKLOAD,
)
from reconciler.gpu.users.labels import KEPT
from reconciler.gpu.users.shared import shared
from reconciler.gpu.users.slim import config_map, inventory, pod, workload
from reconciler.gpu.users.subject import over
from reconciler.gpu.world import GroupKind
from reconciler.model.tree import Tree, child, dig

NEIGHBOURS: Final[tuple[GroupKind, ...]] = (
    DEVICE_CLASS,
    CLUSTER_POLICY,
    DRIVER,
    GPU_CLUSTER,
    kai.KIND,
    volcano.KIND,
    CLUSTER_QUEUE,
    COHORT,
    FLAVOR,
    CHECK,
    TOPOLOGY,
)
"""The few small kinds that rules at admission need beside the object that is written."""
WATCHED: Final[tuple[GroupKind, ...]] = (
    *NEIGHBOURS,
    *WORKLOADS,
    CLAIM,
    TEMPLATE,
    SLICE,
    CONFIG_MAP,
    NODE,
    NAMESPACE,
    QUOTA,
    DEVICE_CONFIG,
    LOCAL_QUEUE,
    WORKLOAD,
    RUNTIME_CLASS,
    COMPUTE_DOMAIN,
    PRIORITY_CLASS,
    KAI_GROUPS,
    VOLCANO_GROUPS,
)
"""All kinds that the census and the rules about GPU classes look at in a cluster, in all their versions."""
_IDENTITY: Final = ("name", "namespace", "deletionTimestamp")
_ALL_LABELS: Final = frozenset({NODE, NAMESPACE})
_ALL_OWNERS: Final = frozenset({WORKLOAD, KAI_GROUPS, VOLCANO_GROUPS})


def shrink(group: str, kind: str, tree: Tree) -> Tree:
    """What census and rules need of a live object: a new tree, parts of which are shared and never changed."""
    if not isinstance(tree, dict):
        return {}
    which = (group, kind)
    kept: dict[str, Tree] = {key: intern(value) for key in ("apiVersion", "kind") if (value := text(tree, key))}
    kept["metadata"] = _metadata(which, tree)
    for key, part in _PARTS.get(which, _nothing)(tree).items():
        if part not in ({}, None):
            kept[key] = part if which == POD else shared(part)
    return kept


def _metadata(which: GroupKind, tree: Tree) -> Tree:
    metadata = child(tree, "metadata")
    kept: dict[str, Tree] = {key: text(metadata, key) for key in _IDENTITY if text(metadata, key)}
    for field, names in KEPT.items():
        all_of_it = field == "labels" and which in _ALL_LABELS
        found = {key: value for key, value in mapping(metadata, field).items() if all_of_it or key in names}
        if found:
            kept[field] = (
                {intern(key): _interned(value) for key, value in found.items()} if all_of_it else shared(found)
            )
    owners = [
        {field: one[field] for field in ("apiVersion", "kind", "name", "controller") if field in one}
        for _, one in mappings(metadata, "ownerReferences")
        if one.get("controller") is True or which in _ALL_OWNERS
    ]
    if owners:
        kept["ownerReferences"] = shared(owners)
    return kept


def _interned(value: Tree) -> Tree:
    return intern(value) if isinstance(value, str) else value


def _nothing(_: Tree) -> dict[str, Tree]:
    return {}


def _whole(tree: Tree) -> dict[str, Tree]:
    """A definition as it stands: all but what only tells of it."""
    return {key: value for key, value in tree.items() if key not in ("apiVersion", "kind", "metadata", "status")}


def _with_status(*fields: str) -> Callable[[Tree], dict[str, Tree]]:
    return lambda tree: _whole(tree) | {"status": _of(child(tree, "status"), *fields)}


def _of(tree: Tree, *fields: str) -> dict[str, Tree]:
    return {field: value for field, value in mapping(tree).items() if field in fields}


def _claim(tree: Tree) -> dict[str, Tree]:
    """Whether it is allocated, not what it was given."""
    allocated = isinstance(dig(tree, "status", "allocation"), dict)
    return _whole(tree) | ({"status": {"allocation": {}}} if allocated else {})


def _node(tree: Tree) -> dict[str, Tree]:
    return {"status": _of(child(tree, "status"), "capacity", "allocatable")}


def _admitted(tree: Tree) -> dict[str, Tree]:
    """A Workload of Kueue: its queue, and with what it was admitted. Its Pods' templates are its owner's."""
    if over(tree):
        return {}
    admission = dig(tree, "status", "admission")
    flavors = [{"flavors": mapping(one, "flavors")} for _, one in mappings(admission, "podSetAssignments")]
    given = {"clusterQueue": text(admission, "clusterQueue"), "podSetAssignments": flavors}
    admitted = {"status": {"admission": given}} if isinstance(admission, dict) else {}
    return {"spec": _of(child(tree, "spec"), "queueName"), **admitted}


def _group(tree: Tree) -> dict[str, Tree]:
    return {} if over(tree) else {"spec": _of(child(tree, "spec"), "queue")}


_PARTS: Final[Mapping[GroupKind, Callable[[Tree], dict[str, Tree]]]] = {
    **dict.fromkeys((*NEIGHBOURS, TEMPLATE, QUOTA, DEVICE_CONFIG, LOCAL_QUEUE, COMPUTE_DOMAIN), _whole),
    **dict.fromkeys(WORKLOADS, workload),
    POD: pod,
    RUNTIME_CLASS: _whole,
    PRIORITY_CLASS: _whole,
    CLUSTER_POLICY: _with_status("namespace", "state"),
    kai.KIND: _with_status("allocated", "allocatedNonPreemptible"),
    CLAIM: _claim,
    SLICE: inventory,
    CONFIG_MAP: config_map,
    NODE: _node,
    WORKLOAD: _admitted,
    KAI_GROUPS: _group,
    VOLCANO_GROUPS: _group,
}
