"""Owns the kinds that hold users, or stand between users and classes. Data only."""

from __future__ import annotations

from typing import Final

from reconciler.gpu.world import GroupKind

POD: Final[GroupKind] = ("", "Pod")
NAMESPACE: Final[GroupKind] = ("", "Namespace")
QUOTA: Final[GroupKind] = ("", "ResourceQuota")
DRIVER: Final[GroupKind] = ("nvidia.com", "NVIDIADriver")
GPU_CLUSTER: Final[GroupKind] = ("nvidia.com", "GPUCluster")
DEVICE_CONFIG: Final[GroupKind] = ("amd.com", "DeviceConfig")
COMPUTE_DOMAIN: Final[GroupKind] = ("resource.nvidia.com", "ComputeDomain")
LOCAL_QUEUE: Final[GroupKind] = ("kueue.x-k8s.io", "LocalQueue")
WORKLOAD: Final[GroupKind] = ("kueue.x-k8s.io", "Workload")
KAI_GROUPS: Final[GroupKind] = ("scheduling.run.ai", "PodGroup")
VOLCANO_GROUPS: Final[GroupKind] = ("scheduling.volcano.sh", "PodGroup")
RUNTIME_CLASS: Final[GroupKind] = ("node.k8s.io", "RuntimeClass")
PRIORITY_CLASS: Final[GroupKind] = ("scheduling.k8s.io", "PriorityClass")
