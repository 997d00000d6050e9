"""Owns extended resources: which Pods ask for, nodes have, and quotas name. Must not judge, nor know what they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from reconciler.gpu.tolerant import amount, mapping, mappings
from reconciler.model.tree import Tree

IMPLICIT_RESOURCE: Final = "deviceclass.resource.kubernetes.io/"
"""Before the name of a class: the extended resource that every class has without naming one."""
BY_CLASS: Final = ".deviceclass.resource.k8s.io/devices"
"""Behind the name of a class: the key by which a quota caps its devices."""
_CONTAINERS: Final = ("initContainers", "containers")
_AMOUNTS: Final = ("requests", "limits")


def asked(holder: Tree) -> set[str]:
    """The extended resources that the containers of a Pod or template ask for."""
    found: set[str] = set()
    for field in _CONTAINERS:
        for _, container in mappings(holder, "spec", field):
            for amounts in _AMOUNTS:
                held = mapping(container, "resources", amounts)
                found.update(name for name, value in held.items() if "/" in name and amount(value) != 0)
    return found


def offered(node: Tree) -> dict[str, Decimal]:
    """The extended resources that a node has some of, and how much."""
    held = {name: amount(value) for name, value in mapping(node, "status", "allocatable").items() if "/" in name}
    return {name: value for name, value in held.items() if value is not None and value > 0}


def capped_class(key: str) -> str:
    """The device class whose devices a key of a ResourceQuota caps; "" for any other key."""
    if key.endswith(BY_CLASS):
        return key.removesuffix(BY_CLASS)
    requested = f"requests.{IMPLICIT_RESOURCE}"
    return key.removeprefix(requested) if key.startswith(requested) else ""
