"""Owns how users lead to devices: by extended resource, claim, claim template, class. Must not look at labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.gpu.dra.names import extended_resource
from reconciler.gpu.dra.requests import CLAIM, DEVICE_CLASS, TEMPLATE, requests
from reconciler.gpu.operator_maps import NODE
from reconciler.gpu.resources import IMPLICIT_RESOURCE, asked, offered
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.users.kinds import COMPUTE_DOMAIN
from reconciler.gpu.users.labels import KAI_SHARES
from reconciler.gpu.users.model import ClassName, Family
from reconciler.gpu.users.subject import Objects, Subject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

VENDORS: Final = ("nvidia.com/", "amd.com/", "gpu.intel.com/", "habana.ai/")
_CLAIMED: Final[tuple[tuple[Family, str], ...]] = (
    ("Claim", "resourceClaimName"),
    ("ClaimTemplate", "resourceClaimTemplateName"),
)


@dataclass(frozen=True, slots=True)
class Devices:
    """Extended resource → the classes that answer to it; the resources of each node; what claims and templates name.

    Claims and templates go by `namespace/name`; a template that a ComputeDomain has made names that, too.
    """

    by_resource: Mapping[str, tuple[str, ...]]
    by_node: Mapping[str, frozenset[str]]
    claims: Mapping[str, tuple[ClassName, ...]]
    templates: Mapping[str, tuple[ClassName, ...]]

    def of(self, subject: Subject) -> Iterator[ClassName]:
        """The classes of devices that a subject uses."""
        for holder in subject.holders:
            for resource in asked(holder):
                yield ClassName("Resource", resource)
                yield from self._classes(resource, holder, subject)
            for family, name in claimed(holder):
                place = f"{subject.ref.namespace}/{name}"
                if family is not None:
                    yield ClassName(family, place)
                yield from (self.templates if family == "ClaimTemplate" else self.claims).get(place, ())

    def _classes(self, resource: str, holder: Tree, subject: Subject) -> Iterator[ClassName]:
        if resource.startswith(IMPLICIT_RESOURCE):
            yield ClassName("DeviceClass", resource.removeprefix(IMPLICIT_RESOURCE))
        # Where a node has a device plugin for the resource, the scheduler asks no class for it.
        plugged = resource in self.by_node.get(subject.node, ())
        claim = text(holder, "status", "extendedResourceClaimStatus", "resourceClaimName")
        if claim or not plugged:
            yield from (ClassName("DeviceClass", name) for name in self.by_resource.get(resource, ()))

    def holds_gpus(self, subject: Subject) -> bool:
        """Whether it asks for GPUs in any way: by a vendor's resource, a device class, a claim, a share."""
        return any(self._gpus(holder) for holder in subject.holders)

    def _gpus(self, holder: Tree) -> bool:
        names = (*VENDORS, IMPLICIT_RESOURCE)
        resources = asked(holder)
        if any(one.startswith(names) or one in self.by_resource for one in resources) or any(claimed(holder)):
            return True
        return not mapping(holder, "metadata", "annotations").keys().isdisjoint(KAI_SHARES)


def devices(objects: Objects) -> Devices:
    """What the classes, claims, templates and nodes of a cluster say."""
    by_resource: defaultdict[str, list[str]] = defaultdict(list)
    for ref, tree in objects.get(DEVICE_CLASS, {}).items():
        if name := extended_resource(tree):
            by_resource[name].append(ref.name)
    templates = _asking(objects, TEMPLATE)
    for ref, tree in objects.get(COMPUTE_DOMAIN, {}).items():
        name = text(tree, "spec", "channel", "resourceClaimTemplate", "name")
        place = f"{ref.namespace}/{name}"
        templates[place] = (*templates.get(place, ()), ClassName("ComputeDomain", f"{ref.namespace}/{ref.name}"))
    return Devices(
        {name: tuple(sorted(found)) for name, found in by_resource.items()},
        {ref.name: frozenset(offered(node)) for ref, node in objects.get(NODE, {}).items()},
        _asking(objects, CLAIM),
        templates,
    )


def _asking(objects: Objects, kind: tuple[str, str]) -> dict[str, tuple[ClassName, ...]]:
    return {f"{ref.namespace}/{ref.name}": classes(ref, tree) for ref, tree in objects.get(kind, {}).items()}


def classes(ref: ObjectRef, tree: Tree) -> tuple[ClassName, ...]:
    """The device classes that a claim or template asks for, each once."""
    named = (request.device_class for request in requests(ref, tree))
    return tuple(ClassName("DeviceClass", name) for name in dict.fromkeys(named) if name)


def claimed(holder: Tree) -> Iterator[tuple[Family | None, str]]:
    """Names of claims and templates that a Pod or template claims by its spec; no family for what was generated."""
    for _, one in mappings(holder, "spec", "resourceClaims"):
        for family, field in _CLAIMED:
            if name := text(one, field):
                yield family, name
    for _, one in mappings(holder, "status", "resourceClaimStatuses"):
        if name := text(one, "resourceClaimName"):
            yield None, name
    if name := text(holder, "status", "extendedResourceClaimStatus", "resourceClaimName"):
        yield None, name
