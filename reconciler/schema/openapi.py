"""Owns reading OpenAPI v3 component schemas into `TypeNode`s, and the overlay of list rules. Must not fetch anything.

Nodes that say nothing are pruned: a place without a node is a map, an atomic list or a plain scalar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from reconciler.model.path import unescaped
from reconciler.policy.select import kind_matches
from reconciler.schema.types import PLAIN, ListType, Scalar, TypeNode

Schema = Mapping[str, Any]

# Owner references and finalizers are the only lists of metadata; a CRD's own schema leaves metadata untyped.
OBJECT_META: Final = TypeNode(
    fields={
        "finalizers": TypeNode(list_type="set"),
        "ownerReferences": TypeNode(list_type="map", keys=("uid",)),
    }
)

_NAMED: Final[Mapping[str, TypeNode]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": TypeNode(scalar="quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": TypeNode(scalar="int-or-string"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": TypeNode(scalar="duration"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": OBJECT_META,
}
_FORMATS: Final[Mapping[str, Scalar]] = {"byte": "bytes", "duration": "duration", "int-or-string": "int-or-string"}
# Every tool that writes the pattern of a Quantity into a CRD spells the binary suffixes like this.
_QUANTITY_PATTERN: Final = "[KMGTPE]i"
_LIST_TYPES: Final[Mapping[str, ListType]] = {"map": "map", "set": "set"}


class ListMeaning(Protocol):
    """What `apply_list_rules` needs of a list rule of the policies (`reconciler.policy` stands above this package)."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """`group/Kind`, `Kind` for the core group, `*` for all."""

    @property
    def path(self) -> str:
        """A JSON pointer; `*` stands for every item of a list or value of a map."""

    @property
    def meaning(self) -> str:
        """`ordered`, `set` or `map`."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key fields, for `map`."""


@dataclass(slots=True)
class SchemaReader:
    """Reads the schemas of one document; definitions that many kinds use become one shared node.

    `schemas` are the document's `components.schemas`; empty for the self-contained schema of a CRD.
    """

    schemas: Mapping[str, Schema] = field(default_factory=dict)
    _done: dict[str, TypeNode] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _cut: set[str] = field(default_factory=set)
    _cyclic: set[str] = field(default_factory=set)

    def root(self, schema: Schema) -> TypeNode:
        """The type of a whole object: metadata is always typed, `status` never (it is not configuration)."""
        node = self.node(schema)
        fields = {name: below for name, below in node.fields.items() if name != "status"}
        return replace(node, fields={**fields, "metadata": OBJECT_META})

    def node(self, schema: Any) -> TypeNode:
        """The type at `schema`; PLAIN where it says nothing, also because it is malformed (CRDs come from Git)."""
        if not isinstance(schema, Mapping):
            return PLAIN
        if "$ref" in schema:
            return self._reference(_referred(schema))
        parts = schema.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and "properties" not in schema:
            return self.node(parts[0])
        if schema.get("type") == "array":
            return self._list(schema)
        if "properties" in schema or isinstance(schema.get("additionalProperties"), Mapping):
            return self._map(schema)
        return _scalar(schema)

    def _reference(self, name: str) -> TypeNode:
        if name in _NAMED:
            return _NAMED[name]
        if name in self._done:
            return self._done[name]
        if name in self._open:
            self._cut.add(name)
            if self._open[-1] != name:
                self._cyclic.add(name)
            return PLAIN
        self._open.append(name)
        node = self.node(self.schemas.get(name, {}))
        self._open.pop()
        self._cut.discard(name)
        # A node of a cycle of several depends on where the walk came in: kept, it would make types depend on order.
        if not self._cut and name not in self._cyclic:
            self._done[name] = node
        return node

    def _list(self, schema: Schema) -> TypeNode:
        items = schema.get("items")
        each = self.node(items)
        list_type = _LIST_TYPES.get(str(schema.get("x-kubernetes-list-type")), "atomic")
        named = schema.get("x-kubernetes-list-map-keys")
        keys = tuple(map(str, named)) if list_type == "map" and isinstance(named, list) else ()
        if list_type == "map" and not keys:
            list_type = "atomic"
        if each is PLAIN and list_type == "atomic":
            return PLAIN
        return TypeNode(
            each=None if each is PLAIN else each, list_type=list_type, keys=keys, defaults=self._defaults(items, keys)
        )

    def _map(self, schema: Schema) -> TypeNode:
        fields = {str(name): self.node(below) for name, below in _mapping(schema.get("properties")).items()}
        if schema.get("x-kubernetes-embedded-resource"):
            fields["metadata"] = OBJECT_META
        fields = {name: below for name, below in fields.items() if below is not PLAIN}
        each = self.node(schema.get("additionalProperties"))
        if not fields and each is PLAIN:
            return PLAIN
        return TypeNode(fields=fields, each=None if each is PLAIN else each)

    def _defaults(self, items: Any, keys: tuple[str, ...]) -> dict[str, Any]:
        """Defaults of the key fields; those of required fields are only the zero values of Go."""
        if not keys:
            return {}
        target = self._resolved(items)
        required, properties = target.get("required"), _mapping(target.get("properties"))
        optional = [key for key in keys if not isinstance(required, list) or key not in required]
        fields = {key: _mapping(properties.get(key)) for key in optional}
        return {key: field["default"] for key, field in fields.items() if "default" in field}

    def _resolved(self, schema: Any) -> Schema:
        """The definition behind references; eight are more than any schema nests."""
        for _ in range(8):
            parts = _mapping(schema).get("allOf")
            if "$ref" in _mapping(schema):
                schema = self.schemas.get(_referred(schema))
            elif isinstance(parts, list) and len(parts) == 1 and "properties" not in schema:
                schema = parts[0]
        return _mapping(schema)


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _referred(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _scalar(schema: Schema) -> TypeNode:
    name: Scalar = _FORMATS.get(str(schema.get("format")), "")
    if schema.get("x-kubernetes-int-or-string"):
        name = "quantity" if _QUANTITY_PATTERN in str(schema.get("pattern", "")) else "int-or-string"
    return _SCALARS[name] if name else PLAIN


_SCALARS: Final[Mapping[str, TypeNode]] = {
    "quantity": TypeNode(scalar="quantity"),
    "int-or-string": TypeNode(scalar="int-or-string"),
    "bytes": TypeNode(scalar="bytes"),
    "duration": TypeNode(scalar="duration"),
}


def kind_schemas(schemas: Mapping[str, Schema]) -> dict[tuple[str, str, str], str]:
    """(group, version, kind) → name of its definition, for all definitions that name exactly one kind.

    Definitions such as DeleteOptions name every group; they are no objects and are left out.
    """
    out = {}
    for name, schema in schemas.items():
        named: Sequence[Mapping[str, str]] = schema.get("x-kubernetes-group-version-kind") or []
        if len(named) == 1:
            gvk = named[0]
            out[gvk.get("group", ""), gvk["version"], gvk["kind"]] = name
    return out


def apply_list_rules(node: TypeNode, rules: Iterable[ListMeaning], kind: str) -> TypeNode:
    """`node` with the lists that `rules` name for `kind` (`apps/Deployment`, `Service`) made ordered, sets or keyed."""
    for rule in rules:
        if any(_names(pattern, kind) for pattern in rule.kinds):
            elements = tuple(unescaped(part) for part in rule.path.split("/")[1:])
            node = _overlay(node, elements, rule)
    return node


def _names(pattern: str, kind: str) -> bool:
    group, _, name = kind.rpartition("/")
    return kind_matches(pattern.lstrip("/"), group, name)


def _overlay(node: TypeNode, elements: tuple[str, ...], rule: ListMeaning) -> TypeNode:
    if not elements:
        return _meaning(node, rule)
    name, *rest = elements
    if name == "*":
        return replace(node, each=_overlay(node.item, tuple(rest), rule))
    return replace(node, fields={**node.fields, name: _overlay(node.at(name), tuple(rest), rule)})


def _meaning(node: TypeNode, rule: ListMeaning) -> TypeNode:
    if rule.meaning == "ordered":
        return replace(node, ordered=True)
    if rule.meaning == "set":
        return replace(node, list_type="set", keys=())
    return replace(node, list_type="map", keys=rule.keys)
