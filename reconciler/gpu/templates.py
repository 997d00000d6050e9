"""Owns where objects embed Pods: the kinds that do, and each template in an object. Must not judge a Pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.world import GroupKind
from reconciler.model.path import Path
from reconciler.model.tree import CONTAINERS, Tree, child, dig

WORKLOADS: Final[tuple[GroupKind, ...]] = (
    ("", "Pod"),
    ("", "PodTemplate"),
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("argoproj.io", "Rollout"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("batch.volcano.sh", "CronJob"),
    ("batch.volcano.sh", "Job"),
    ("flow.volcano.sh", "JobTemplate"),
    ("grove.io", "PodCliqueSet"),
    ("jobset.x-k8s.io", "JobSet"),
    ("kubeflow.org", "JAXJob"),
    ("kubeflow.org", "MPIJob"),
    ("kubeflow.org", "Notebook"),
    ("kubeflow.org", "PaddleJob"),
    ("kubeflow.org", "PyTorchJob"),
    ("kubeflow.org", "TFJob"),
    ("kubeflow.org", "XGBoostJob"),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
    ("ray.io", "RayCluster"),
    ("ray.io", "RayCronJob"),
    ("ray.io", "RayJob"),
    ("ray.io", "RayService"),
    ("serving.knative.dev", "Configuration"),
    ("serving.knative.dev", "Service"),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication"),
    ("sparkoperator.k8s.io", "SparkApplication"),
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
    ("trainer.kubeflow.org", "TrainingRuntime"),
    ("workload.codeflare.dev", "AppWrapper"),
)
"""Kinds that are Pods or embed templates of them, in all versions."""
# An AppWrapper around a TrainingRuntime's kind of nesting has 12.
_DEEPEST: Final = 16


def pod_templates(tree: Tree) -> Iterator[tuple[Path, Tree]]:
    """Each mapping of `metadata` and `spec` whose spec is a Pod's, with its path: the object itself for a Pod."""
    # Several rules ask for each object: only what may hold a template is looked at.
    nodes: list[tuple[Path, Tree]] = [((), tree)] if isinstance(tree, CONTAINERS) else []
    while nodes:
        path, node = nodes.pop()
        spec = node.get("spec") if isinstance(node, dict) else None
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield path, node
        elif len(path) < _DEEPEST:
            for step, value in node.items() if isinstance(node, dict) else enumerate(node):
                if isinstance(value, CONTAINERS):
                    nodes.append(((*path, step), value))


def label(tree: Tree, name: str) -> str:
    """A label of an object or template; "" where it has none."""
    value = child(dig(tree, "metadata", "labels"), name)
    return value if isinstance(value, str) else ""
