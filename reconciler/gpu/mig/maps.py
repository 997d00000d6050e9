"""Owns which ConfigMaps hold MIG layouts, and which GPU models the fleet has. Must not judge either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.gpu.mig.document import CONFIGS, Document, read_document
from reconciler.gpu.mig_table import MigModel
from reconciler.gpu.operator_maps import CONFIG_MAP, NODE, entries, keys, named_maps
from reconciler.gpu.tolerant import text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child, dig

KEY: Final = "config.yaml"
SELECTS: Final = "nvidia.com/mig.config"
PRODUCT: Final = "nvidia.com/gpu.product"
_SHARED: Final = re.compile(r"-SHARED$|-MIG-[0-9].*$")
GENERATED_BY: Final = "app.kubernetes.io/component"
_LOOKS_SO: Final = re.compile(rf"(?m)^['\"]?{CONFIGS}['\"]?\s*:")


@dataclass(frozen=True, slots=True)
class LayoutMap:
    """A ConfigMap with layouts. `named`: a ClusterPolicy names it. `error`: why its document cannot be parsed.

    `present`: it has the key `config.yaml` at all.
    """

    ref: ObjectRef
    tree: Tree
    named: bool
    document: Document
    error: str = ""
    present: bool = True


def layout_maps(world: World) -> dict[ObjectRef, LayoutMap]:
    """All ConfigMaps with layouts: those that a ClusterPolicy names, and those whose document has `mig-configs`."""
    named = {ref for ref, _ in named_maps(world, "migManager")}
    found = ((ref, layout_map(world, ref, tree, named=ref in named)) for ref, tree in world.of(*CONFIG_MAP))
    return {ref: one for ref, one in found if one is not None}


def layout_map(world: World, ref: ObjectRef, tree: Tree, *, named: bool) -> LayoutMap | None:
    """`tree` as a ConfigMap with layouts; None where it is none, or one that the operator generates for a node."""
    held = entries(tree).get(KEY)
    if held is None:
        return LayoutMap(ref, tree, named, Document({}), present=KEY in keys(tree)) if named else None
    if not named and (CONFIGS not in held or is_generated(tree)):
        return None
    try:
        document = world.parse(held)
    except ValueError as error:
        broken = named or _LOOKS_SO.search(held)
        return LayoutMap(ref, tree, named, Document({}), error=str(error) or "it is no YAML") if broken else None
    if not named and not (isinstance(document, dict) and CONFIGS in document):
        return None
    return LayoutMap(ref, tree, named, read_document(document))


def is_generated(tree: Tree) -> bool:
    """Whether the MIG manager has made the ConfigMap, for one node."""
    return text(tree, "metadata", "labels", GENERATED_BY) == "nvidia-mig-manager"


def in_use(world: World) -> tuple[LayoutMap, ...]:
    """The maps that nodes' labels are looked up in: those that a ClusterPolicy names, if they can be read."""
    return tuple(one for one in world.once(layout_maps).values() if one.named and one.document.layouts)


def fleet(world: World) -> tuple[MigModel, ...]:
    """The models of all GPUs that nodes and ResourceSlices report; empty where some GPU is of none that we know."""
    models = world.once(_reported)
    return tuple(model for model in models if model is not None) if None not in models else ()


def has_strangers(world: World) -> bool:
    """Whether some GPU is of a model that we do not know: it may take what no other takes."""
    return None in world.once(_reported)


def _reported(world: World) -> tuple[MigModel | None, ...]:
    names = {_SHARED.sub("", product) for product in products(world)}
    return tuple(dict.fromkeys(world.mig.by_product(name) for name in sorted(names)))


def products(world: World) -> Iterator[str]:
    """What Nodes and ResourceSlices call their GPUs, with what sharing and MIG put behind it; some often."""
    for trees in (world.live.get(NODE, {}), world.desired.get(NODE, {})):
        yield from filter(None, (text(tree, "metadata", "labels", PRODUCT) for tree in trees.values()))
    for _, piece in world.of("resource.k8s.io", "ResourceSlice"):
        devices = dig(piece, "spec", "devices")
        for device in devices if isinstance(devices, list) and dig(piece, "spec", "driver") == "gpu.nvidia.com" else ():
            for attributes in (child(device, "attributes"), dig(device, "basic", "attributes")):
                if name := text(attributes, "productName", "string"):
                    yield name.replace(" ", "-")
