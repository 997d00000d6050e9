"""Owns what is known of Kubernetes itself: kinds, types, defaults, as `tools/generate_schema.py` wrote them down.

Must not read files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.model.ref import KindInfo
from reconciler.schema.fill import Known, parse_known
from reconciler.schema.openapi import META_KNOWN, METADATA, UNTYPED
from reconciler.schema.pack import Unpacker, pack
from reconciler.schema.types import TypeNode

GroupVersionKind = tuple[str, str, str]


@dataclass(slots=True)
class Builtin:
    """Kinds and types of one Kubernetes version, with what its API server makes of them.

    The parsed kinds.json, types.json and defaults.json; types are unpacked when first asked for.
    """

    kinds_data: Mapping[str, Any]
    types_data: Mapping[str, Any]
    defaults_data: Mapping[str, Any] = field(default_factory=lambda: {"definitions": {}})
    known: Mapping[str, Known] = field(init=False)
    _kinds: Mapping[GroupVersionKind, KindInfo] = field(init=False)
    _types: Unpacker = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = MappingProxyType(unpack_kinds(self.kinds_data))
        definitions = self.defaults_data["definitions"].items()
        known = {name: parse_known(data) for name, data in definitions}
        self.known = MappingProxyType({METADATA: META_KNOWN, **known})
        self._types = Unpacker(self.types_data["nodes"], self.known)

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
        """The type of the kind; untyped for a kind that is not built in."""
        index = self.types_data["roots"].get(f"{group}/{version}/{kind}")
        return UNTYPED if index is None else self._types.node(index)


def pack_types(types: Mapping[GroupVersionKind, TypeNode]) -> dict[str, Any]:
    """The content of types.json, in a stable order; see `reconciler.schema.pack`."""
    return pack({"/".join(gvk): node for gvk, node in types.items()}, full=True)


def pack_kinds(version: str, kinds: Iterable[KindInfo]) -> dict[str, Any]:
    """The content of kinds.json."""
    ordered = sorted(kinds, key=lambda info: (info.group, info.version, info.kind))
    return {"version": version, "kinds": [asdict(info) for info in ordered]}


def unpack_kinds(data: Mapping[str, Any]) -> dict[GroupVersionKind, KindInfo]:
    """Read back what `pack_kinds` wrote."""
    infos = (KindInfo(**{**entry, "subresources": tuple(entry["subresources"])}) for entry in data["kinds"])
    return {(info.group, info.version, info.kind): info for info in infos}
