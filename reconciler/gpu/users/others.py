"""Owns what names a class without being a user: quotas, queues, mappings, classes of the same resource. No counting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.embedded.document import documents_in
from reconciler.embedded.parser import Parser
from reconciler.gpu.dra.names import extended_resource
from reconciler.gpu.dra.requests import DEVICE_CLASS
from reconciler.gpu.operator_maps import CONFIG_MAP, entries
from reconciler.gpu.queues import volcano
from reconciler.gpu.queues.kueue import CLUSTER_QUEUE, COHORT, GROUPS
from reconciler.gpu.resources import capped_class
from reconciler.gpu.tolerant import mapping, mappings, text, texts
from reconciler.gpu.users.devices import Devices
from reconciler.gpu.users.kinds import COMPUTE_DOMAIN, QUOTA
from reconciler.gpu.users.model import ClassName
from reconciler.gpu.users.queues import flavors, groups, parents
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

_MAPPINGS: Final = "deviceClassMappings"
_SHARES: Final = ("capability", "deserved", "guarantee")


def others(world: World, devices: Devices) -> Iterator[tuple[ObjectRef, ClassName]]:
    """Each object with each class that it names."""
    objects = world.live
    for ref, tree in objects.get(DEVICE_CLASS, {}).items():
        if resource := extended_resource(tree):
            yield ref, ClassName("Resource", resource)
            alike = (name for name in devices.by_resource.get(resource, ()) if name != ref.name)
            yield from ((ref, ClassName("DeviceClass", name)) for name in alike)
    for ref, tree in objects.get(QUOTA, {}).items():
        yield from ((ref, name) for name in _quotas(tree, devices))
    yield from ((ref, above) for ref, _, above in parents(objects))
    yield from groups(objects)
    for kind in (CLUSTER_QUEUE, COHORT):
        for ref, tree in objects.get(kind, {}).items():
            yield from ((ref, ClassName("ResourceFlavor", name)) for name in flavors(tree))
            yield from ((ref, ClassName("Resource", name)) for name in _covered(tree))
    for ref, tree in objects.get(volcano.KIND, {}).items():
        yield from ((ref, ClassName("Resource", name)) for name in _shares(tree))
    for ref, tree in objects.get(COMPUTE_DOMAIN, {}).items():
        name = text(tree, "spec", "channel", "resourceClaimTemplate", "name")
        yield ref, ClassName("ClaimTemplate", f"{ref.namespace}/{name}")
    for ref, tree in objects.get(CONFIG_MAP, {}).items():
        for classes in mapped(tree, world.parse).values():
            yield from ((ref, ClassName("DeviceClass", name)) for name in classes)


def _quotas(tree: Tree, devices: Devices) -> Iterator[ClassName]:
    for key in mapping(tree, "spec", "hard"):
        resource = key.removeprefix("requests.")
        if device_class := capped_class(key):
            yield ClassName("DeviceClass", device_class)
        elif resource != key and "/" in resource:
            yield ClassName("Resource", resource)
            yield from (ClassName("DeviceClass", name) for name in devices.by_resource.get(resource, ()))


def _covered(tree: Tree) -> set[str]:
    """What a ClusterQueue covers, or a Cohort has quota of, of the resources of devices."""
    covered = {name for _, group in mappings(tree, *GROUPS) for _, name in texts(group, "coveredResources")}
    return {name for name in covered if "/" in name}


def _shares(tree: Tree) -> set[str]:
    """The extended resources that a queue of Volcano has shares of; a guarantee has them one level down."""
    named = {name for field in _SHARES for name in mapping(tree, "spec", field)}
    return {name for name in named | mapping(tree, "spec", "guarantee", "resource").keys() if "/" in name}


def mapped(tree: Tree, parse: Parser) -> dict[str, tuple[str, ...]]:
    """The device classes that Kueue counts as a resource, by that, as a ConfigMap says."""
    if not any(_MAPPINGS in held for held in entries(tree).values()):
        return {}
    documents, _ = documents_in(tree, CONFIG_MAP[1], parse)
    found: dict[str, tuple[str, ...]] = {}
    for document in documents.values():
        if document.format == "kueue":
            for _, one in mappings(document.tree, "resources", _MAPPINGS):
                found[text(one, "name")] = tuple(name for _, name in texts(one, "deviceClassNames") if name)
    return found
