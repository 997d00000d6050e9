"""Owns reading OpenAPI v3 component schemas into `TypeNode`s, and the overlay of list rules. Must not fetch anything.

Nodes that say nothing are pruned: a place without a node is a map, an atomic list or a plain scalar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from reconciler.model.path import unescaped
from reconciler.policy.select import kind_matches
from reconciler.schema.fill import CUSTOM, OPEN, Fill, Known
from reconciler.schema.types import PLAIN, ListType, Scalar, TypeNode

Schema = Mapping[str, Any]

# Owner references and finalizers are the only lists of metadata; a CRD's own schema leaves metadata untyped.
_META_FIELDS: Final[Mapping[str, TypeNode]] = {
    "finalizers": TypeNode(list_type="set"),
    "ownerReferences": TypeNode(list_type="map", keys=("uid",)),
}
METADATA: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# The API server keeps no empty value of metadata.
META_KNOWN: Final = Known(keeps=frozenset())
OBJECT_META: Final = TypeNode(fields=_META_FIELDS, known=META_KNOWN, definition=METADATA)
_EMBEDDED_META: Final = TypeNode(fields=_META_FIELDS)
UNTYPED: Final = TypeNode(fields={"metadata": OBJECT_META}, custom=True, known=OPEN)
"""A kind that nobody has a schema for."""
_STRING: Final = TypeNode(scalar="string")
_RAW: Final = TypeNode(scalar="raw")

_NAMED: Final[Mapping[str, TypeNode]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": TypeNode(scalar="quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": TypeNode(scalar="int-or-string"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": TypeNode(scalar="duration"),
    METADATA: OBJECT_META,
}
# Published without a type, since they may be something else too: a boolean, a list.
_SCHEMA_PROPS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_ALIASES: Final = {f"{_SCHEMA_PROPS}{form}": _SCHEMA_PROPS for form in ("OrArray", "OrBool")}
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
        """`ordered`, `unordered`, `set` or `map`."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key fields, for `map`."""


@dataclass(slots=True)
class SchemaReader:
    """Reads the schemas of one document; definitions that many kinds use become one shared node.

    `schemas` are the document's `components.schemas`; empty for the self-contained schema of a CRD. `known` says by
    definition what the server makes of its fields (what is not in it is open); None: nothing is said. `custom`: the
    schemas are of custom resources, whose defaults stand in the schema and whose values are stored as they are.
    """

    schemas: Mapping[str, Schema] = field(default_factory=dict)
    known: Mapping[str, Known] | None = None
    custom: bool = False
    _done: dict[str, TypeNode] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def root(self, schema: Schema) -> TypeNode:
        """The type of a whole object: metadata is always typed, `status` never (it is not configuration)."""
        node = self.node(schema)
        fields = {name: below for name, below in node.fields.items() if name != "status"}
        fields |= {"apiVersion": PLAIN, "kind": PLAIN, "metadata": OBJECT_META}
        known = node.known or CUSTOM if self.custom else node.known
        return replace(node, fields=fields, custom=self.custom, known=known)

    def kind(self, name: str) -> TypeNode:
        """The type of the kind whose definition is `name`."""
        return self.root({"$ref": name})

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
        if self._is_map(schema):
            return self._map(schema, {})
        return _scalar(schema)

    def _reference(self, name: str) -> TypeNode:
        name = _ALIASES.get(name, name)
        if name in _NAMED:
            return _NAMED[name]
        if name in self._done:
            return self._done[name]
        schema = _mapping(self.schemas.get(name))
        if "$ref" not in schema and self._is_map(schema):
            return self._map(schema, {}, name)
        if name in self._open:
            return PLAIN
        if (
            not self.custom
            and schema
            and schema.get("type") in (None, "object")
            and not {"$ref", "allOf"} & schema.keys()
        ):
            return self._done.setdefault(name, _RAW)
        self._open.add(name)
        node = self._done[name] = self.node(schema)
        self._open.discard(name)
        return node

    def _is_map(self, schema: Schema) -> bool:
        if "properties" in schema or isinstance(schema.get("additionalProperties"), Mapping):
            return True
        return self.custom and schema.get("type") == "object" and not _keeps_unknown(schema)

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

    def _map(self, schema: Schema, fields: dict[str, TypeNode], definition: str = "") -> TypeNode:
        """A struct or free map. A definition may contain itself, so its node stands before its fields are read."""
        free = schema.get("additionalProperties")
        properties = _mapping(schema.get("properties"))
        node = TypeNode(
            fields=fields,
            each=self._value(free) if isinstance(free, Mapping) else None,
            closed=not free and not _keeps_unknown(schema),
            known=_declared_defaults(properties) if self.custom else self._known(definition),
            definition="" if self.custom else definition,
        )
        if definition:
            self._done[definition] = node
        fields.update((str(name), self.node(below)) for name, below in properties.items())
        if schema.get("x-kubernetes-embedded-resource"):
            fields |= {"apiVersion": PLAIN, "kind": PLAIN, "metadata": _EMBEDDED_META}
        return node

    def _value(self, schema: Schema) -> TypeNode | None:
        node = self.node(schema)
        if node is PLAIN:
            return _STRING if schema.get("type") == "string" and not self.custom else None
        return node

    def _known(self, definition: str) -> Known | None:
        return self.known.get(definition, OPEN) if self.known is not None and definition else None

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


def _keeps_unknown(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def _declared_defaults(properties: Schema) -> Known | None:
    """The structural defaults of a CRD: https://kubernetes.io/docs/reference/using-api/custom-resources/#defaulting."""
    schemas = [(str(name), _mapping(schema)) for name, schema in properties.items()]
    fill = {name: (Fill(value=schema["default"]),) for name, schema in schemas if schema.get("default") is not None}
    nullable = frozenset(name for name, schema in schemas if schema.get("nullable"))
    return Known(fill=fill, nullable=nullable) if fill or nullable else None


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
    if rule.meaning == "unordered":
        return replace(node, list_type="unordered") if node.list_type == "atomic" else node
    if rule.meaning == "set":
        return replace(node, list_type="set", keys=())
    return replace(node, list_type="map", keys=rule.keys)
