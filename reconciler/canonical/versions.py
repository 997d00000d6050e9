"""Owns what one version of an object says in another one, for kinds whose versions differ in shape. Must not compare.

Only DRA and Kueue: their older versions are gone from newer clusters, while manifests of them stay in Git. It is what
the API server and the conversion webhook of Kueue make of them (conversion.go in resource/v1beta1 and kueue/v1beta1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.embedded.format import changed
from reconciler.model.ref import split_api_version
from reconciler.model.tree import ABSENT, Tree, child

Change = Callable[[Tree], Tree]


def _same(tree: Tree) -> Tree:
    return tree


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Versions of a kind, oldest first. The first differs from the others: at `path`, `up` leads out of it, `down` in.

    Both are called for a mapping only, or for each mapping in the list that stands there.
    """

    versions: tuple[str, ...]
    path: tuple[str, ...] = ()
    up: Change = _same
    down: Change = _same


def converted(tree: Tree, api_version: str) -> Tree | None:
    """`tree` as `api_version` of the same group says it; None where nobody here knows how."""
    group, version = split_api_version(api_version)
    was_group, was = _version_of(tree)
    shapes = _shapes(group, tree)
    if shapes is None or group != was_group or not {was, version} <= set(shapes.versions):
        return None
    if was == version:
        return tree
    first = shapes.versions[0]
    change = shapes.up if was == first else shapes.down if version == first else _same
    return {**_at(tree, shapes.path, change), "apiVersion": api_version}


def raised(tree: Tree, other: Tree) -> Tree:
    """`tree` in the version of `other`, another state of the same object, if that is newer and the way is known."""
    group, version = _version_of(other)
    shapes, was = _shapes(group, tree), _version_of(tree)[1]
    if shapes is None or not {was, version} <= set(shapes.versions):
        return tree
    is_newer = shapes.versions.index(version) > shapes.versions.index(was)
    return converted(tree, f"{group}/{version}") or tree if is_newer else tree


def knows(group: str, kind: str) -> bool:
    """Whether there are versions of the kind that `converted` knows."""
    return (group, kind) in _KINDS


def _version_of(tree: Tree) -> tuple[str, str]:
    version = child(tree, "apiVersion")
    return split_api_version(version) if isinstance(version, str) else ("", "")


def _shapes(group: str, tree: Tree) -> _Shapes | None:
    kind = child(tree, "kind")
    return _KINDS.get((group, kind)) if isinstance(kind, str) else None


def _at(tree: Tree, path: tuple[str, ...], change: Change) -> Tree:
    if path:
        return changed(tree, path[0], lambda below: _at(below, path[1:], change))
    if isinstance(tree, list):
        return [change(one) if isinstance(one, dict) else one for one in tree]
    return change(tree) if isinstance(tree, dict) else tree


def _without(tree: Tree, *keys: str) -> dict[str, Tree]:
    return {key: value for key, value in tree.items() if key not in keys}


def _lifted(key: str) -> Change:
    """Takes what stands in `key` out of it."""

    def lift(tree: Tree) -> Tree:
        held = child(tree, key)
        return {**_without(tree, key), **held} if isinstance(held, dict) else tree

    return lift


_ASKED: Final = (
    "deviceClassName",
    "selectors",
    "allocationMode",
    "count",
    "adminAccess",
    "tolerations",
    "capacity",
)


def _wrapped(request: Tree) -> Tree:
    """A request of v1beta1: what it asks for stands beside its name, from v1beta2 on in `exactly`."""
    asked = {key: request[key] for key in _ASKED if key in request}
    return {**_without(request, *_ASKED), "exactly": asked} if asked else request


def _basic(device: Tree) -> Tree:
    return {"name": device.get("name"), "basic": _without(device, "name")}


# Values of flavorFungibility by their names of before; v1beta1 knows the new ones, too.
_FUNGIBILITY: Final = {"whenCanBorrow": "Borrow", "whenCanPreempt": "Preempt"}


def _fungibility(policy: Tree) -> Tree:
    return {**policy, **{key: "MayStopSearch" for key, old in _FUNGIBILITY.items() if policy.get(key) == old}}


def _queue(spec: Tree) -> Tree:
    """The spec of a ClusterQueue. Checks by name are a strategy of checks for all flavors."""
    spec = _at(_renamed(spec, "cohort", "cohortName"), ("flavorFungibility",), _fungibility)
    checks = spec.get("admissionChecks")
    spec = _without(spec, "admissionChecks")
    if not isinstance(checks, list) or not checks:
        return spec
    return {"admissionChecksStrategy": {"admissionChecks": [{"name": one} for one in checks]}, **spec}


def _renamed(tree: Tree, old: str, new: str) -> Tree:
    return {new if key == old else key: value for key, value in tree.items()}


_REMOTES: Final = {"kubeConfig": "location", "clusterProfileRef": "name"}


def _remote(spec: Tree) -> Tree:
    """The spec of a MultiKueueCluster. An empty kubeconfig, which v1beta1 requires, is none."""
    source = {key: spec[key] for key, name in _REMOTES.items() if child(spec.get(key), name) not in (ABSENT, "", None)}
    return {**_without(spec, *_REMOTES), "clusterSource": source}


_DRA: Final = ("v1beta1", "v1beta2", "v1")
_KUEUE: Final = ("v1beta1", "v1beta2")
_ALIKE: Final = (
    "Cohort",
    "LocalQueue",
    "MultiKueueConfig",
    "ProvisioningRequestConfig",
    "ResourceFlavor",
    "Topology",
    "WorkloadPriorityClass",
)
_KINDS: Final[Mapping[tuple[str, str], _Shapes]] = {
    ("resource.k8s.io", "DeviceClass"): _Shapes(_DRA),
    ("resource.k8s.io", "ResourceClaim"): _Shapes(_DRA, ("spec", "devices", "requests"), _wrapped, _lifted("exactly")),
    ("resource.k8s.io", "ResourceClaimTemplate"): _Shapes(
        _DRA, ("spec", "spec", "devices", "requests"), _wrapped, _lifted("exactly")
    ),
    ("resource.k8s.io", "ResourceSlice"): _Shapes(_DRA, ("spec", "devices"), _lifted("basic"), _basic),
    ("kueue.x-k8s.io", "ClusterQueue"): _Shapes(
        _KUEUE, ("spec",), _queue, lambda spec: _renamed(spec, "cohortName", "cohort")
    ),
    ("kueue.x-k8s.io", "MultiKueueCluster"): _Shapes(_KUEUE, ("spec",), _remote, _lifted("clusterSource")),
    ("kueue.x-k8s.io", "AdmissionCheck"): _Shapes(_KUEUE, ("spec",), lambda spec: _without(spec, "retryDelayMinutes")),
    **{("kueue.x-k8s.io", kind): _Shapes(_KUEUE) for kind in _ALIKE},
}
