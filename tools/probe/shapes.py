"""Owns reading OpenAPI v3 into the shapes of fields and the kinds that can be created. Must not know single kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Tree = Any
Schema = Mapping[str, Any]
Path = tuple[str | int, ...]
Found = tuple[Path, str, dict[str, Any]]
Form = Literal["struct", "list", "map", "scalar", "opaque"]

META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Scalars with definitions of their own; the zero of a quantity or a time is no empty value.
_WRITTEN: Final = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "port",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "written",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "written",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "written",
}
# A schema below a schema is published without its type, because it may be a list of schemas or a boolean, too.
_HIDDEN: Final = {
    f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{name}": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    for name in ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray")
}
_ROOT_ONLY: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


_ZEROS: Final[Mapping[str, tuple[Tree, ...]]] = {
    "boolean": (False,),
    "integer": (0,),
    "number": (0,),
    "string": ("",),
    "port": (0, ""),
    "list": ([],),
    "map": ({},),
    "struct": ({},),
    # Free JSON, and structs without fields.
    "opaque": ({}, [], "", 0, False),
    "written": (),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at one place; `definition` names a struct, `item` types list items and map values."""

    form: Form
    type: str = ""
    definition: str = ""
    item: Shape | None = None
    enum: tuple[str, ...] = ()

    @property
    def flat(self) -> bool:
        """Does no struct stand in it?"""
        return self.form != "struct" and (self.item is None or self.item.flat)

    @property
    def zeros(self) -> tuple[Tree, ...]:
        """The values that Go cannot tell from a missing one, unless the field is a pointer."""
        return _ZEROS[self.type or self.form]


@dataclass(frozen=True, slots=True)
class Root:
    """A kind that can be created: its definition and the path that takes it, with {namespace} where it has one."""

    group: str
    version: str
    kind: str
    definition: str
    path: str

    @property
    def name(self) -> str:
        """`apps/Deployment`, `Pod`: as rules name it."""
        return f"{self.group}/{self.kind}" if self.group else self.kind

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Shapes:
    """All definitions of one API server; `documents` are its OpenAPI v3 documents."""

    def __init__(self, documents: list[Schema]) -> None:
        self._schemas: dict[str, Schema] = {}
        for document in documents:
            self._schemas.update((document.get("components") or {}).get("schemas") or {})
        self._fields: dict[str, dict[str, Shape]] = {}
        roots = [root for document in documents for root in _roots(document)]
        self.roots = {(root.api_version, root.kind): root for root in roots}

    def fields(self, definition: str) -> Mapping[str, Shape]:
        """The fields of a struct; empty for definitions that are none."""
        if definition not in self._fields:
            properties = self._schemas.get(definition, {}).get("properties") or {}
            self._fields[definition] = {name: self._shape(schema) for name, schema in sorted(properties.items())}
        return self._fields[definition]

    def required(self, definition: str) -> frozenset[str]:
        """The fields that a struct must have."""
        return frozenset(self._schemas.get(definition, {}).get("required") or ())

    def structs(self, root: Root, tree: Tree, at: Path = ()) -> Iterator[Found]:
        """The structs of an object above, at and below the path `at`; metadata and the root's own status are none."""
        body = {name: value for name, value in tree.items() if name not in _ROOT_ONLY}
        yield from self._walk((), Shape("struct", definition=root.definition), body, at)

    def at(self, root: Root, path: Path) -> Shape:
        """The shape at a path of an object."""
        shape = Shape("struct", definition=root.definition)
        for element in path:
            below = self.fields(shape.definition)[str(element)] if shape.form == "struct" else shape.item
            shape = below or Shape("opaque")
        return shape

    def _walk(self, path: Path, shape: Shape, value: Tree, at: Path) -> Iterator[Found]:
        if path[: len(at)] != at[: len(path)]:
            return
        if shape.form == "struct" and isinstance(value, dict):
            if shape.definition == META:
                return
            yield path, shape.definition, value
            fields = self.fields(shape.definition)
            for name, below in value.items():
                if name in fields:
                    yield from self._walk((*path, name), fields[name], below, at)
        elif shape.item and isinstance(value, list):
            for index, below in enumerate(value):
                yield from self._walk((*path, index), shape.item, below, at)
        elif shape.item and shape.form == "map" and isinstance(value, dict):
            for name, below in value.items():
                yield from self._walk((*path, name), shape.item, below, at)

    def _shape(self, schema: Schema) -> Shape:
        name = _referred(schema)
        if name in _HIDDEN:
            return Shape("struct", definition=_HIDDEN[name])
        if name in _WRITTEN:
            return Shape("scalar", _WRITTEN[name])
        if name:
            return Shape("struct", definition=name) if "properties" in self._schemas.get(name, {}) else Shape("opaque")
        if schema.get("type") == "array":
            return Shape("list", item=self._shape(schema["items"]))
        if isinstance(schema.get("additionalProperties"), Mapping):
            return Shape("map", item=self._shape(schema["additionalProperties"]))
        if schema.get("type") in {"boolean", "integer", "number", "string"}:
            return Shape("scalar", str(schema["type"]), enum=tuple(filter(None, schema.get("enum") or ())))
        return Shape("opaque")


def _referred(schema: Schema) -> str:
    parts: list[Schema] = schema.get("allOf") or []
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return _referred(parts[0]) if len(parts) == 1 else ""


def _roots(document: Schema) -> Iterator[Root]:
    for path, methods in (document.get("paths") or {}).items():
        post = methods.get("post")
        if post is None or "{name}" in path or "x-kubernetes-group-version-kind" not in post:
            continue
        gvk = post["x-kubernetes-group-version-kind"]
        schema = post.get("requestBody", {}).get("content", {}).get("*/*", {}).get("schema", {})
        yield Root(gvk["group"], gvk["version"], gvk["kind"], _referred(schema), path)
