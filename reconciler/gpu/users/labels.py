"""Owns the labels and annotations by which users, queues, node choices and owners are found. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.gpu.mig import maps as mig
from reconciler.gpu.mig.selection import MAINTENANCE
from reconciler.gpu.queues import fractions
from reconciler.gpu.queues.kai import QUEUE_LABEL as KAI_QUEUE
from reconciler.gpu.sharing import maps as sharing
from reconciler.gpu.tolerant import mapping
from reconciler.model.tree import Tree

KUEUE_QUEUE: Final = "kueue.x-k8s.io/queue-name"
VOLCANO_QUEUE: Final = "volcano.sh/queue-name"
VOLCANO_QUEUE_BEFORE: Final = "scheduling.volcano.sh/queue-name"  # an annotation
VOLCANO_GROUP: Final = "scheduling.k8s.io/group-name"
KAI_GROUP: Final = "pod-group-name"
KAI_SHARES: Final = ("gpu-fraction", "gpu-memory")
GPU_PRESENT: Final = "nvidia.com/gpu.present"
AMD_PRESENT: Final = "feature.node.kubernetes.io/amd-gpu"
DRIVER_OWNER: Final = "nvidia.com/gpu-operator.driver.owner"
MIG_CONFIG: Final = mig.SELECTS
PLUGIN_CONFIG: Final = sharing.SELECTS
PROFILES: Final = ("dcm.amd.com/gpu-config-profile", "nvidia.com/vgpu.config")
SETTING_UP: Final = (MIG_CONFIG, PLUGIN_CONFIG, *PROFILES)
"""The labels that make a Node one of GPUs, whatever it offers by now."""
SELECTING: Final = (
    *SETTING_UP,
    "nvidia.com/gpu.workload.config",
    "nvidia.com/gpu.deploy.operands",
    "kai.scheduler/node-pool",
)
"""The labels by which a Node, or a queue, chooses a class."""
KEPT: Final[Mapping[str, frozenset[str]]] = {
    "labels": frozenset({KAI_QUEUE, KUEUE_QUEUE, VOLCANO_QUEUE, mig.GENERATED_BY, "kai.scheduler/node-pool"}),
    "annotations": frozenset(
        {VOLCANO_QUEUE_BEFORE, VOLCANO_GROUP, KAI_GROUP, *KAI_SHARES, fractions.DEVICES, fractions.MPS, MAINTENANCE}
    ),
}
"""What is kept of the labels and annotations of an object that is neither a Node nor a Namespace."""
_OWNERS: Final = ("owner", "team", "tenant", "project")


def owner(namespace: Tree) -> str:
    """Who owns a Namespace, by the first label whose bare name says so: owner, team, tenant, project; "" if none."""
    labels = mapping(namespace, "metadata", "labels")
    for wanted in _OWNERS:
        for key in sorted(labels):
            if key.rpartition("/")[2] == wanted and isinstance(labels[key], str) and labels[key]:
                return str(labels[key])
    return ""
