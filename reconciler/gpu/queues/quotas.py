"""Owns the rules about ResourceQuotas whose keys name device classes and extended resources. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.classes import INSTALLED_BY_DRIVERS
from reconciler.gpu.dra.requests import DEVICE_CLASS
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.queues.held import held
from reconciler.gpu.resources import IMPLICIT_RESOURCE, capped_class
from reconciler.gpu.tolerant import amount, mapping, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "QTA-01": "A quota of an extended resource caps its requests, which alone are counted",
    "QTA-02": "A quota names a device class or extended resource that is there",
}
_HARD: Final = ("spec", "hard")
# Bare names of their resources are meant as a cap, too. What other domains stand for in a quota is not known here.
_VENDORS: Final = ("nvidia.com/", "amd.com/", "gpu.intel.com/")


def _check_quota(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    for key, value in mapping(tree, *_HARD).items():
        limited = key.removeprefix("limits.")
        if (limited != key and _is_extended(limited)) or key.startswith(_VENDORS):
            message = f"quota {ref.name}: {key} caps nothing; of extended resources only requests are counted"
            severity: Severity = "error" if limited != key else "warning"
            yield Problem("QTA-01", severity, ref, (*_HARD, key), message, f"rename the key to requests.{limited}")
        # A quota of 0 forbids, and what is forbidden need not be there.
        elif amount(value) != 0:
            yield from _check_name(ref, key, world)


def _check_name(ref: ObjectRef, key: str, world: World) -> Iterator[Problem]:
    resource = key.removeprefix("requests.")
    device_class = capped_class(key)
    if device_class:
        missing = _lacks_class(world, device_class)
        what = f"the device class {device_class!r}"
    else:
        missing = resource != key and _is_extended(resource) and _lacks_resource(world, resource)
        what = f"the resource {resource!r}, which no node and no device class offers"
    if missing:
        message = (
            f"quota {ref.name}: {key} names {what}{', which does not exist' if device_class else ''}: it caps nothing"
        )
        fix = "write the name in use now, or remove the key"
        yield Problem("QTA-02", "warning", ref, (*_HARD, key), message, fix, absent=True)


def _is_extended(resource: str) -> bool:
    domain, slash, name = resource.partition("/")
    native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return bool(slash and domain and name) and (not native or resource.startswith(IMPLICIT_RESOURCE))


def _classes(world: World) -> dict[str, Tree]:
    return held(world, *DEVICE_CLASS)


def _lacks_class(world: World, name: str) -> bool:
    """Whether a class is missing. Files that declare no class at all may leave them to other repositories."""
    classes = world.once(_classes)
    return name not in classes and (world.clustered or (bool(classes) and name not in INSTALLED_BY_DRIVERS))


def _resources(world: World) -> frozenset[str]:
    """Names of all that nodes and device classes offer; empty where no node is known."""
    names: set[str] = set()
    for _, node in world.of("", "Node"):
        for field in ("capacity", "allocatable"):
            names.update(mapping(node, "status", field))
    if not names:
        return frozenset()
    classes = world.once(_classes).values()
    return frozenset(names | {text(one, "spec", "extendedResourceName") for one in classes})


def _lacks_resource(world: World, name: str) -> bool:
    offered = world.once(_resources)
    return world.clustered and bool(offered) and name not in offered


CHECKERS: Final[tuple[Checker, ...]] = (Checker((("", "ResourceQuota"),), _check_quota),)
