"""Owns what is kept of the bulky objects: Pods and what holds templates of them, inventory, ConfigMaps. No counting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from sys import intern
from typing import Final

from reconciler.gpu.dra.gates import VARIABLE as GATES
from reconciler.gpu.mig.maps import is_generated
from reconciler.gpu.operator_maps import entries, keys
from reconciler.gpu.templates import pod_templates
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.users.labels import KEPT
from reconciler.gpu.users.shared import shared
from reconciler.gpu.users.subject import made, over
from reconciler.model.tree import CONTAINERS, Tree, child

_OVER: Final = frozenset({"Succeeded", "Failed"})
# By which the documents are known that rules read. "mps" for itself, as "timestamps" is in every other ConfigMap.
_WORDS: Final = re.compile(
    r"\b(?:mig-configs|timeSlicing|mps|migStrategy|config\.kueue\.x-k8s\.io/|nodeconfig|resourceCountName"
    r"|deviceSplitCount|(?i:deviceMemoryScaling)|gpu-config-profiles|vgpu-configs)"
    r"|(?m:^)[{\s]*[\"']?(?:sharing|flags)[\"']?\s*:"  # of a device plugin's that cannot be parsed, too
)
_LISTS: Final = ("containers", "initContainers")
# What a device has for itself says nothing of its sort: a serial number, an address on the bus.
_SINGLE: Final = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}|pci[0-9a-f]{4}:")


def pod(tree: Tree) -> dict[str, Tree]:
    """Of a Pod that is over, only that."""
    phase = text(tree, "status", "phase")
    if phase in _OVER:
        return {"spec": shared({"containers": []}), "status": shared({"phase": phase})}
    status: dict[str, Tree] = {}
    generated = [_of(one, "name", "resourceClaimName") for _, one in mappings(tree, "status", "resourceClaimStatuses")]
    if generated:
        status["resourceClaimStatuses"] = generated
    if claim := text(tree, "status", "extendedResourceClaimStatus", "resourceClaimName"):
        status["extendedResourceClaimStatus"] = {"resourceClaimName": claim}
    held = {"phase": phase}
    return {"spec": _pod_spec(tree), "status": held | status if status else shared(held)}


def workload(tree: Tree) -> dict[str, Tree]:
    """The templates as a list, wherever the kind has them: no more will come of what is over, or made by another."""
    spec: dict[str, Tree] = {}
    if not made(tree) and not over(tree):
        spec["templates"] = [_template(found) for _, found in pod_templates(tree)]
    if queue := text(tree, "spec", "queue") or text(tree, "spec", "jobTemplate", "spec", "queue"):
        spec["queue"] = queue
    return {"spec": spec}


def _template(found: Tree) -> dict[str, Tree]:
    metadata = {
        field: held
        for field, names in KEPT.items()
        if (held := {key: value for key, value in mapping(found, "metadata", field).items() if key in names})
    }
    return {"metadata": metadata, "spec": _pod_spec(found)}


def _pod_spec(tree: Tree) -> dict[str, Tree]:
    spec = child(tree, "spec")
    kept: dict[str, Tree] = {"containers": shared(list(_containers(spec)))}
    for field in ("nodeName", "runtimeClassName", "priorityClassName"):
        if value := text(spec, field):
            kept[field] = intern(value)
    claims = [
        _of(one, "name", "resourceClaimName", "resourceClaimTemplateName")
        for _, one in mappings(spec, "resourceClaims")
    ]
    if claims:
        kept["resourceClaims"] = shared(claims)
    return kept


def _containers(spec: Tree) -> Iterator[dict[str, Tree]]:
    """Those that ask for extended resources, or are told gates; CPU and memory are nobody's class."""
    for field in _LISTS:
        for _, one in mappings(spec, field):
            asked = mapping(one, "resources", "requests") | mapping(one, "resources", "limits")
            extended = {
                name: value for name, value in asked.items() if "/" in name and not isinstance(value, CONTAINERS)
            }
            gates = [_of(told, "name", "value") for _, told in mappings(one, "env") if told.get("name") == GATES]
            if extended or gates:
                yield {"resources": {"limits": extended}} | ({"env": gates} if gates else {})


def inventory(tree: Tree) -> dict[str, Tree]:
    """Devices by sort: which fields they publish, with texts that several may have."""
    spec = child(tree, "spec")
    sorts: dict[str, dict[str, Tree]] = {}
    for _, device in mappings(spec, "devices"):
        body = mapping(device, "basic") or device
        sort = {
            "attributes": {name: _telling(value) for name, value in mapping(body, "attributes").items()},
            "capacity": {name: {} for name in mapping(body, "capacity")},
        }
        sorts.setdefault(repr(sort), sort)
    named = {field: value for field in ("driver", "nodeName") if (value := text(spec, field))}
    return {"spec": {**named, "devices": list(sorts.values())}}


def _telling(value: Tree) -> dict[str, Tree]:
    said = text(value, "string")
    return {"string": said} if said and not _SINGLE.search(said) else {}


def config_map(tree: Tree) -> dict[str, Tree]:
    """All keys; of the texts those that rules about GPU classes read."""
    data: dict[str, Tree] = dict.fromkeys(sorted(keys(tree)), "")
    if not is_generated(tree):
        data |= {key: held for key, held in entries(tree).items() if _WORDS.search(held)}
    return {"data": data}


def _of(tree: Tree, *fields: str) -> dict[str, Tree]:
    return {field: value for field in fields if (value := text(tree, field))}
