"""Owns what is known by name of Kubernetes' own kinds for registering: which never to guard, which to guard softly.

Names of resources are the API server's plurals. Must not build configurations.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.own import GROUP, LEVERS, VERSION
from reconciler.model.ref import KindInfo

# Groups served by the API server itself; anything else comes from a CustomResourceDefinition or an APIService.
BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)

# The cluster's heartbeat and its own questions about rights: a slow answer here stops the cluster, whatever Git says.
_NEVER: Final = frozenset(
    {
        ("", "bindings"),
        ("", "componentstatuses"),
        ("", "endpoints"),
        ("", "events"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("coordination.k8s.io", "leasecandidates"),
        ("coordination.k8s.io", "leases"),
        ("discovery.k8s.io", "endpointslices"),
        ("events.k8s.io", "events"),
    }
)
# The API server sends these to no webhook, or they are questions and not objects.
_NEVER_GROUPS: Final = frozenset({"admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io"})

# With `Fail` a node could not join (a kubelet ends where it cannot write its CSINode), or no Pod start, while all
# replicas are down, the guard's own Pods among them.
_SOFT: Final = frozenset({("", "nodes"), ("", "pods"), ("storage.k8s.io", "csinodes")})

# The guard's own levers: guarded also where no source declares one, and failing closed as policies/own.yaml says.
OWN: Final = tuple(KindInfo(GROUP, VERSION, kind, resource, namespaced=False) for resource, kind in LEVERS.items())

# What policies guard although Git declares none of it: only there must its resource be known by heart.
UNDECLARED: Final = (
    KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True),
    KindInfo("nvidia.com", "v1", "ClusterPolicy", "clusterpolicies", namespaced=False),
    KindInfo("nvidia.com", "v1alpha1", "GPUCluster", "gpuclusters", namespaced=False),
    KindInfo("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", namespaced=False),
    KindInfo("scheduling.run.ai", "v1alpha2", "BindRequest", "bindrequests", namespaced=True),
    KindInfo("scheduling.run.ai", "v2alpha2", "PodGroup", "podgroups", namespaced=True),
)

# Subresources besides `scale` and `status` that write configuration.
CONFIGURING: Final = {
    ("", "pods"): ("ephemeralcontainers", "resize"),
    ("", "namespaces"): ("finalize",),
}

_PODS: Final = KindInfo("", "v1", "Pod", "pods", namespaced=True, subresources=("ephemeralcontainers", "resize"))
_REPLICASETS: Final = KindInfo("apps", "v1", "ReplicaSet", "replicasets", namespaced=True)
_JOBS: Final = KindInfo("batch", "v1", "Job", "jobs", namespaced=True)
# What controllers derive from objects of a kind.
DERIVED: Final = {
    ("apps", "daemonsets"): (_PODS,),
    ("apps", "deployments"): (_PODS, _REPLICASETS),
    ("apps", "replicasets"): (_PODS,),
    ("apps", "statefulsets"): (_PODS,),
    ("batch", "cronjobs"): (_JOBS, _PODS),
    ("batch", "jobs"): (_PODS,),
}


def never_registered(kind: KindInfo) -> str:
    """Why objects of `kind` are not guarded even where Git declares them; "" where they are."""
    if kind.group in _NEVER_GROUPS:
        return "the API server sends this kind to no webhook"
    if (kind.group, kind.resource) in _NEVER:
        return "the cluster stops where this kind has to wait"
    return ""


def always_ignores(kind: KindInfo) -> bool:
    """True where `failurePolicy: Fail` could keep the cluster from starting again."""
    return (kind.group, kind.resource) in _SOFT


def built_in(kind: KindInfo) -> bool:
    """True for kinds of the API server itself: their status subresource writes metadata too."""
    return kind.group in BUILT_IN_GROUPS


def is_namespace(kind: KindInfo) -> bool:
    """True for Namespace itself."""
    return (kind.group, kind.resource) == ("", "namespaces")


def is_pod(kind: KindInfo) -> bool:
    """True for Pod itself."""
    return (kind.group, kind.resource) == ("", "pods")
