"""Owns the order in which objects are put back: what others need comes first, what only goes leaves in reverse.

Kinds that are not named come after all that are, but before what stands in every write's way.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.ref import ObjectRef

_NEEDED_FIRST: Final[tuple[tuple[str, ...], ...]] = (
    ("Namespace",),
    ("CustomResourceDefinition",),
    ("PriorityClass", "StorageClass", "IngressClass", "RuntimeClass", "DeviceClass"),
    ("ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget"),
    ("ServiceAccount",),
    ("ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    ("ConfigMap", "Secret"),
    ("PersistentVolume",),
    ("PersistentVolumeClaim",),
    ("Service",),
    ("DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "CronJob"),
    ("HorizontalPodAutoscaler", "Ingress"),
)
_STEP: Final = {kind: step for step, kinds in enumerate(_NEEDED_FIRST) for kind in kinds}
# They call servers that run on what comes before them, and refuse writes while these do not answer.
_LAST: Final = {
    "APIService": len(_NEEDED_FIRST) + 1,
    "MutatingWebhookConfiguration": len(_NEEDED_FIRST) + 2,
    "ValidatingWebhookConfiguration": len(_NEEDED_FIRST) + 2,
}


def turn(ref: ObjectRef, *, takes_away: bool = False) -> tuple[int, int, ObjectRef]:
    """A key to sort by. `takes_away`: nothing is put back, extras only go; that comes last, and in reverse."""
    step = _STEP.get(ref.kind, _LAST.get(ref.kind, len(_NEEDED_FIRST)))
    return int(takes_away), -step if takes_away else step, ref
