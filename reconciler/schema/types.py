"""Owns the type of a place in an object: list type and keys, scalar meaning. Must not know single kinds.

Only what comparison needs is kept: a node that says nothing different from "map, atomic list or plain scalar" is left
out, so the tree of a kind stays small enough to travel with each snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

ListType = Literal["atomic", "map", "set"]
Scalar = Literal["", "quantity", "int-or-string", "bytes", "duration"]
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TypeNode:
    """The type at one place. `each` types items of a list and values of a free map.

    `ordered` marks keyed lists whose order is a value (env, initContainers, …); `defaults` are values of key fields
    that the API server fills in (a port's protocol), so that items match before and after defaulting.
    """

    fields: Mapping[str, TypeNode] = field(default_factory=lambda: _NONE)
    each: TypeNode | None = None
    list_type: ListType = "atomic"
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    scalar: Scalar = ""
    ordered: bool = False

    def at(self, name: str) -> TypeNode:
        """The type of field `name` of a map."""
        return self.fields.get(name) or self.each or PLAIN

    @property
    def item(self) -> TypeNode:
        """The type of an item of a list."""
        return self.each or PLAIN

    def dump(self) -> dict[str, Any]:
        """The node as JSON, for the snapshot's side table; `load` reads it back."""
        out: dict[str, Any] = {}
        if self.fields:
            out["f"] = {name: node.dump() for name, node in sorted(self.fields.items())}
        if self.each is not None:
            out["e"] = self.each.dump()
        if self.list_type != "atomic":
            out["l"] = self.list_type
        if self.keys:
            out["k"] = list(self.keys)
        if self.defaults:
            out["d"] = dict(self.defaults)
        if self.scalar:
            out["s"] = self.scalar
        if self.ordered:
            out["o"] = True
        return out


PLAIN = TypeNode()


def load(data: Mapping[str, Any]) -> TypeNode:
    """Read back what `TypeNode.dump` wrote."""
    return TypeNode(
        fields={name: load(node) for name, node in data.get("f", {}).items()},
        each=load(data["e"]) if "e" in data else None,
        list_type=data.get("l", "atomic"),
        keys=tuple(data.get("k", ())),
        defaults=data.get("d", {}),
        scalar=data.get("s", ""),
        ordered=bool(data.get("o", False)),
    )
