"""Owns the record of what was installed: a ConfigMap of names, from which upgrade prunes and uninstall removes. Pure.

A name in it is no proof: whoever could write it could have anything removed, so an object must bear our label, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.own import NAMESPACE
from reconciler.model.ref import ObjectRef
from setscrew.installing.objects import PART_OF, PRODUCT, Document

NAME: Final = "setscrew-installation"
REF: Final = ObjectRef("", "ConfigMap", NAMESPACE, NAME)
_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was installed: all objects, those of an attempt that failed among them; `version` is the last that stood.

    `overlay` and `image` are those chosen last, `image` "" the shipped one: what runs may be somebody's change.
    """

    version: str = ""
    overlay: str = ""
    image: str = ""
    objects: frozenset[ObjectRef] = frozenset()


def as_document(inventory: Inventory) -> Document:
    """The ConfigMap of it."""
    lines = sorted(f"{ref.group}/{ref.kind}/{ref.namespace}/{ref.name}" for ref in inventory.objects)
    data = {"version": inventory.version, "overlay": inventory.overlay, "image": inventory.image}
    data["objects"] = "".join(f"{one}\n" for one in lines)
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": {PART_OF: PRODUCT}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def read(document: Mapping[str, Any] | None) -> Inventory:
    """The inventory as the cluster holds it, empty where there is none. Lines that are no object are passed over."""
    data = (document or {}).get("data") or {}
    parts = (line.split("/") for line in str(data.get("objects", "")).splitlines())
    objects = frozenset(ObjectRef(*one) for one in parts if len(one) == _PARTS and one[1] and one[3])
    return Inventory(str(data.get("version", "")), str(data.get("overlay", "")), str(data.get("image", "")), objects)
