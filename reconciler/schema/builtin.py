"""Owns the kinds and types of Kubernetes itself, as `tools/generate_schema.py` packed them. Must not read files.

Packed types are one list of distinct nodes that name each other by index, so the PodSpec that twelve kinds share is
stored, and later held in memory, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.model.ref import KindInfo
from reconciler.schema.types import PLAIN, TypeNode

GroupVersionKind = tuple[str, str, str]


@dataclass(slots=True)
class Builtin:
    """Kinds and types of one Kubernetes version; types are unpacked when first asked for.

    `kinds_data` and `types_data` are the parsed kinds.json and types.json.
    """

    kinds_data: Mapping[str, Any]
    types_data: Mapping[str, Any]
    _kinds: Mapping[GroupVersionKind, KindInfo] = field(init=False)
    _nodes: list[TypeNode | None] = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = MappingProxyType(unpack_kinds(self.kinds_data))
        self._nodes = [None] * len(self.types_data["nodes"])

    @property
    def version(self) -> str:
        """The Kubernetes version that the data was taken from: `1.36.3`."""
        return str(self.kinds_data["version"])

    def kinds(self) -> Mapping[GroupVersionKind, KindInfo]:
        """All kinds by (group, version, kind)."""
        return self._kinds

    def kind(self, group: str, version: str, kind: str) -> KindInfo | None:
        """The kind in this version, or None where Kubernetes has none such."""
        return self._kinds.get((group, version, kind))

    def types(self, group: str, version: str, kind: str) -> TypeNode:
        """The type of the kind; PLAIN for a kind that is not built in."""
        index = self.types_data["kinds"].get(f"{group}/{version}/{kind}")
        return PLAIN if index is None else self._node(index)

    def _node(self, index: int) -> TypeNode:
        node = self._nodes[index]
        if node is None:
            data = self.types_data["nodes"][index]
            node = TypeNode(
                fields={name: self._node(below) for name, below in data.get("f", {}).items()},
                each=self._node(data["e"]) if "e" in data else None,
                list_type=data.get("l", "atomic"),
                keys=tuple(data.get("k", ())),
                defaults=data.get("d", {}),
                scalar=data.get("s", ""),
                ordered=bool(data.get("o", False)),
            )
            self._nodes[index] = node
        return node


def pack_types(types: Mapping[GroupVersionKind, TypeNode]) -> dict[str, Any]:
    """The content of types.json: `{"nodes": [...], "kinds": {"group/version/Kind": index}}`, in a stable order."""
    packer = _Packer()
    kinds = {"/".join(gvk): packer.index(types[gvk]) for gvk in sorted(types)}
    return {"nodes": packer.nodes, "kinds": kinds}


@dataclass(slots=True)
class _Packer:
    nodes: list[dict[str, Any]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def index(self, node: TypeNode) -> int:
        """The place of `node` in `nodes`; equal nodes have one place, children stand before their parents."""
        data = TypeNode(list_type=node.list_type, keys=node.keys, defaults=node.defaults, scalar=node.scalar).dump()
        if node.fields:
            data["f"] = {name: self.index(below) for name, below in sorted(node.fields.items())}
        if node.each is not None:
            data["e"] = self.index(node.each)
        if node.ordered:
            data["o"] = True
        text = json.dumps(data, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.nodes)
            self.nodes.append(data)
        return self._places[text]


def pack_kinds(version: str, kinds: Iterable[KindInfo]) -> dict[str, Any]:
    """The content of kinds.json."""
    ordered = sorted(kinds, key=lambda info: (info.group, info.version, info.kind))
    return {"version": version, "kinds": [asdict(info) for info in ordered]}


def unpack_kinds(data: Mapping[str, Any]) -> dict[GroupVersionKind, KindInfo]:
    """Read back what `pack_kinds` wrote."""
    infos = (KindInfo(**{**entry, "subresources": tuple(entry["subresources"])}) for entry in data["kinds"])
    return {(info.group, info.version, info.kind): info for info in infos}
