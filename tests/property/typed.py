"""Owns the generator of objects by type: what a person might declare of a kind, and single changes to it. No laws."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st

from reconciler.canonical.engine import Context, canonicalize, without_nulls
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.items import item_key
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import split_api_version
from reconciler.model.tree import Tree
from reconciler.schema.catalog import Catalog
from reconciler.schema.types import TypeNode
from reconciler.store.schema_data import load_builtin
from tests.support.decisions import KEY, builtin_rules

# Secrets are left out: their values are hashed, so a form of one is no manifest.
KINDS: Final = (
    "apps/v1 Deployment",
    "apps/v1 StatefulSet",
    "batch/v1 CronJob",
    "v1 Service",
    "v1 ConfigMap",
    "v1 PersistentVolumeClaim",
    "v1 ServiceAccount",
    "networking.k8s.io/v1 NetworkPolicy",
    "networking.k8s.io/v1 Ingress",
    "rbac.authorization.k8s.io/v1 ClusterRole",
    "rbac.authorization.k8s.io/v1 RoleBinding",
    "autoscaling/v2 HorizontalPodAutoscaler",
    "policy/v1 PodDisruptionBudget",
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
    "resource.k8s.io/v1 ResourceClaimTemplate",
    "laws.example/v1 Thing",
)
_TEXT: Final = {"type": "string"}
_ITEM: Final = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "mode": {**_TEXT, "default": "Auto"},
        "weight": {"type": "integer", "default": 1},
        "off": {"type": "boolean", "default": False},
        "settings": {"type": "object", "default": {}, "properties": {"level": {"type": "integer", "default": 3}}},
    },
}
_LISTED: Final = {"type": "array", "items": _ITEM}
_CRD: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "spec": {
        "group": "laws.example",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "keyed": {
                                        **_LISTED,
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                    },
                                    "atomic": _LISTED,
                                    "tags": {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
                                    "one": _ITEM,
                                    "labels": {"type": "object", "additionalProperties": _TEXT},
                                    "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "resources": {
                                        "type": "object",
                                        "properties": {
                                            "limits": {"type": "object", "additionalProperties": _TEXT},
                                        },
                                    },
                                    "pollInterval": _TEXT,
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}
CONTEXT: Final = Context(Catalog((load_builtin(),), builtin_rules(), [_CRD]), builtin_rules(), KEY)

Place = tuple[Any, ...]
"""Names and indices."""

_WORDS: Final = st.sampled_from(["", "a", "b", "latest", "TCP", "Auto", "x:1"])
_NAMES: Final = st.sampled_from(["a", "b", "c"])
_PLAIN: Final = st.one_of(st.booleans(), st.integers(0, 3), _WORDS)
_SCALARS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "": _PLAIN,
    "string": _WORDS,
    "quantity": st.sampled_from(["1", "1000m", "0.5", 2, "1Gi", "1024Mi", "100m", "0"]),
    "duration": st.sampled_from(["1h", "60m", "90s", "0s"]),
    "int-or-string": st.sampled_from([0, 80, "80", "http", "25%"]),
    "bytes": st.sampled_from(["", base64.b64encode(b"a").decode()]),
    "raw": st.recursive(_PLAIN, lambda below: st.dictionaries(_NAMES, below, max_size=2), max_leaves=3),
}
_DEPTH: Final = 9


def objects() -> st.SearchStrategy[dict[str, Any]]:
    """What Git may say of one object: fields that the type knows, some of them empty or null."""
    return st.sampled_from(KINDS).flatmap(objects_of)


def objects_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of one of `KINDS`."""
    api_version, _, name = kind.rpartition(" ")
    identity = {"apiVersion": api_version, "kind": name, "metadata": {"name": "one", "namespace": "shop"}}
    return contents(_types(api_version, name)).map(lambda content: {**identity, **content})


def _types(api_version: str, kind: str) -> TypeNode:
    return CONTEXT.catalog.types(*split_api_version(api_version), kind)


def contents(node: TypeNode) -> st.SearchStrategy[dict[str, Any]]:
    """The content of an object of this type."""
    own = {name: below for name, below in node.fields.items() if name not in ("apiVersion", "kind", "metadata")}
    return _struct(own, _DEPTH)


def _struct(fields: dict[str, TypeNode], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Up to four fields each, so that trees stay small."""
    names = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=4) if fields else st.just([])
    return names.flatmap(
        lambda some: st.fixed_dictionaries({name: _maybe(_value(fields[name], depth - 1)) for name in some})
    )


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Seldom null instead."""
    return st.integers(0, 9).flatmap(lambda number: strategy if number else st.none())


def _value(node: TypeNode, depth: int) -> st.SearchStrategy[Any]:
    if node.list_type in ("map", "set", "unordered") or (node.each is not None and not node.closed and not node.fields):
        return _list(node, depth)
    if node.fields:
        return _struct(dict(node.fields), depth) if depth > 0 else st.just({})
    if node.each is not None:
        return st.dictionaries(_NAMES, _value(node.each, depth - 1), max_size=2)
    if node.closed:
        return st.just({})
    return _SCALARS[node.scalar]


def _list(node: TypeNode, depth: int) -> st.SearchStrategy[Any]:
    if depth <= 0:
        return st.just([])
    items = st.lists(_value(node.item, depth - 1), max_size=2)
    if node.list_type == "set":
        return items.map(lambda found: _each_once(found, str))
    if node.list_type != "map":
        return items
    keys = st.lists(st.fixed_dictionaries({name: st.sampled_from(["p", "q", "r"]) for name in node.keys}), max_size=2)
    pairs = st.tuples(keys, st.lists(_struct(dict(node.item.fields), depth - 1), min_size=2, max_size=2))
    made = pairs.map(lambda pair: [{**item, **key} for key, item in zip(*pair, strict=False)])
    return made.map(lambda found: _each_once(found, lambda item: str(item_key(item, node))))


def _each_once(items: list[Any], name: Any) -> list[Any]:
    return list({name(item): item for item in items}.values())


def form(tree: dict[str, Any]) -> CanonicalObject:
    """The offline form."""
    return canonicalize(RenderedObject(tree, Provenance("shop", "rev", "a.yaml", 1)), CONTEXT)


def stored(tree: dict[str, Any]) -> dict[str, Any]:
    """What an API server stores of `tree`, as far as the offline form knows."""
    said: dict[str, Any] = without_nulls(form(tree).want)
    return said


def leaves(tree: Tree, path: Place = ()) -> Iterator[tuple[Place, Tree]]:
    """Scalars of the content, with names and indices as path."""
    if isinstance(tree, dict | list) and tree:
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            if path or key not in ("apiVersion", "kind", "metadata"):
                yield from leaves(value, (*path, key))
    elif tree is not None and not isinstance(tree, dict | list):
        yield path, tree


def containers(tree: Tree, path: Place = ()) -> Iterator[tuple[Place, Tree]]:
    """Maps and lists of the content, the object itself last."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            if path or key not in ("apiVersion", "kind", "metadata"):
                yield from containers(value, (*path, key))
        yield path, tree


def another(value: Tree) -> Tree:
    """A value that nothing takes for the same."""
    if isinstance(value, bool):
        return not value
    return value + 1000 if isinstance(value, int | float) else f"another {value}"


def put(tree: Tree, path: Place, value: Tree) -> Tree:
    """`tree` with `value` at `path`; `...` takes away what is there."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    made = put(tree[head], rest, value) if rest else value
    if isinstance(tree, list):
        return [*tree[:head], *([] if made is ... else [made]), *tree[head + 1 :]]
    return {**{key: old for key, old in tree.items() if key != head}, **({} if made is ... else {head: made})}


def another_state(tree: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """`tree` with one to three leaves changed or gone, or an object of the kind that has nothing to do with it."""
    if data.draw(st.booleans()):
        other: dict[str, Any] = data.draw(objects_of(f"{tree['apiVersion']} {tree['kind']}"))
        return other
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(leaves(tree))
        assume(found)
        path, old = data.draw(st.sampled_from(found))
        tree = put(tree, path, data.draw(st.sampled_from([another(old), ...])))
    return tree
