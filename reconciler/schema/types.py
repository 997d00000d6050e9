"""Owns the type of a place in an object: list type and keys, scalar meaning, what a server fills in. Knows no kinds.

Types may be cyclic (the schema of a CRD describes schemas), so nothing here walks them without a memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from reconciler.schema.fill import Known

# An "unordered" list is one value as an atomic one is, order aside; only rules say so.
ListType = Literal["atomic", "map", "set", "unordered"]
# "raw" is JSON of any shape, which a server stores as it is.
Scalar = Literal["", "raw", "string", "quantity", "int-or-string", "bytes", "duration", "cel"]
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TypeNode:
    """The type at one place. `each` types items of a list and values of a free map.

    `ordered` marks keyed lists whose order is a value (env, initContainers, …); `defaults` are values of key fields
    that the API server fills in (a port's protocol), so that items match before and after defaulting. `closed`: a field
    that is not in `fields` is dropped by the API server. `known`: what the server makes of the fields (None: as the
    place around it). `custom`: kind of a CRD, whose values nobody spells anew.
    `definition` names the OpenAPI definition of a kind of Kubernetes itself.
    """

    fields: Mapping[str, TypeNode] = field(default_factory=lambda: _NONE)
    each: TypeNode | None = None
    list_type: ListType = "atomic"
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    scalar: Scalar = ""
    ordered: bool = False
    closed: bool = False
    known: Known | None = None
    custom: bool = False
    definition: str = ""

    def at(self, name: str) -> TypeNode:
        """The type of field `name` of a map."""
        return self.fields.get(name) or self.each or PLAIN

    @property
    def item(self) -> TypeNode:
        """The type of an item of a list."""
        return self.each or PLAIN


PLAIN = TypeNode()
