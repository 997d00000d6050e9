"""Owns CP-01 … CP-03: one configuration of NVIDIA's operator, with values that it acts by. Must not judge drivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.operator_maps import CLUSTER_POLICY
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import leaving, shown, some
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig

RULES: Final = {
    "CP-01": "NVIDIA's operator is configured once: by one ClusterPolicy, or by the GPUCluster gpu-cluster",
    "CP-02": "The MIG strategy of a ClusterPolicy is none, single or mixed",
    "CP-03": "The default MIG layout of a ClusterPolicy is all-disabled, or empty",
}
_CLUSTER: Final = ("nvidia.com", "GPUCluster")
_ONLY_NAME: Final = "gpu-cluster"
_STRATEGIES: Final = ("none", "single", "mixed")
_DEFAULTS: Final = ("all-disabled", "")
_STRATEGY: Final = ("spec", "mig", "strategy")
_LAYOUT: Final = ("spec", "migManager", "config", "default")
_NAME: Final[Path] = ("metadata", "name")


def check_alone(ref: ObjectRef, _: Tree, world: World) -> Iterator[Problem]:
    """Other objects that configure the operator too, and a GPUCluster of another name than the one it reads."""
    kind = (ref.group, ref.kind)
    others = [
        other
        for group_kind in (CLUSTER_POLICY, _CLUSTER)
        for other, tree in world.of(*group_kind)
        if other != ref and not leaving(other, tree, world) and CLUSTER_POLICY in {group_kind, kind}
    ]
    if others:
        message = f"{some(str(other) for other in others)} configures NVIDIA's operator too: it acts by one only"
        fix = "keep one ClusterPolicy, or one GPUCluster, and remove the other"
        yield Problem("CP-01", "error", ref, _NAME, message, fix)
    if kind == _CLUSTER and ref.name != _ONLY_NAME:
        message = f"a GPUCluster named {shown(ref.name)}: the operator reads only {_ONLY_NAME}"
        yield Problem("CP-01", "error", ref, _NAME, message, f"name it {_ONLY_NAME}")


def check_values(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """The strategy and the default layout."""
    strategy = dig(tree, *_STRATEGY)
    if strategy is not ABSENT and strategy is not None and strategy not in _STRATEGIES:
        message = f"mig.strategy is {shown(strategy)}"
        yield Problem("CP-02", "error", ref, _STRATEGY, message, f"use one of {', '.join(_STRATEGIES)}")
    layout = dig(tree, *_LAYOUT)
    if layout is not ABSENT and layout is not None and layout not in _DEFAULTS:
        message = f"migManager.config.default is {shown(layout)}: a node without a label may not be partitioned by it"
        fix = 'use all-disabled or "", and choose the layout by the label nvidia.com/mig.config of the nodes'
        yield Problem("CP-03", "error", ref, _LAYOUT, message, fix)


CHECKERS: Final = (Checker((CLUSTER_POLICY, _CLUSTER), check_alone), Checker((CLUSTER_POLICY,), check_values))
