"""Owns the generators of the laws: typed trees and their mutations. Must not hold laws."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance
from reconciler.model.path import ItemKey, Path
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.schema.types import TypeNode

KIND: Final = KindInfo("example.com", "v1", "Thing", "things", namespaced=True)
REF: Final = ObjectRef("example.com", "Thing", "shop", "one")
# spec: {a, b, c: maps and scalars; items: keyed by name; lines: keyed, order counts; tags: a set; raw: one value}.
TYPES: Final = TypeNode(
    fields={
        "spec": TypeNode(
            fields={
                "items": TypeNode(list_type="map", keys=("name",)),
                "lines": TypeNode(list_type="map", keys=("name",), ordered=True),
                "tags": TypeNode(list_type="set"),
            }
        )
    }
)

scalars = st.one_of(
    st.booleans(), st.integers(-3, 3), st.text("ab", min_size=1, max_size=2), st.floats(0.5, 2.5, allow_nan=False)
)
_names = st.sampled_from(["a", "b", "c"])
_maps = st.recursive(
    st.dictionaries(_names, scalars, min_size=1, max_size=3),
    lambda below: st.dictionaries(_names, st.one_of(scalars, below), min_size=1, max_size=3),
    max_leaves=6,
)


def _item(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda value, more: {"name": name, "value": value, "more": more}, scalars, _maps)


_keyed = st.lists(st.sampled_from("pqrs"), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*map(_item, names)).map(list)
)
specs = st.fixed_dictionaries(
    {"a": _maps},
    optional={
        "b": scalars,
        "items": _keyed,
        "lines": _keyed,
        "tags": st.lists(st.text("xyz", min_size=1, max_size=2), min_size=1, max_size=3, unique=True),
        "raw": st.lists(_maps, min_size=1, max_size=3),
    },
)


def thing(spec: Any) -> dict[str, Any]:
    """An object around `spec`."""
    metadata = {"name": REF.name, "namespace": REF.namespace}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


def form(spec: Any, *, offline: bool = False) -> CanonicalObject:
    """The canonical form whose want is exactly `spec`."""
    confidence: Any = "offline" if offline else "server"
    place = Provenance("shop", "rev", "thing.yaml", 1)
    return CanonicalObject(REF, KIND, thing(spec), {}, place, confidence, types=TYPES)


_SPEC: Final = TYPES.at("spec")


def leaves(tree: Any, node: TypeNode = _SPEC, path: Path = ("spec",)) -> list[tuple[Path, Any]]:
    """Paths of what is judged as one value: scalars, atomic lists, items of sets count with their list."""
    if isinstance(tree, dict):
        pairs = [(key, value, node.at(key)) for key, value in tree.items()]
    elif isinstance(tree, list) and node.list_type == "map":
        pairs = [(ItemKey((("name", item["name"]),)), item, node.item) for item in tree]  # type: ignore[misc]
    else:
        return [(path, tree)]
    found = [leaf for key, value, kind in pairs for leaf in leaves(value, kind, (*path, key))]
    return [leaf for leaf in found if not (isinstance(leaf[0][-2], ItemKey) and leaf[0][-1] == "name")]


def put(tree: Any, path: Path, value: Any) -> Any:
    """`tree` with `value` at `path`; `...` removes what is there."""
    head, rest = path[0], path[1:]
    if isinstance(head, ItemKey):
        return [put(item, rest, value) if head.matches(item) else item for item in tree]
    if rest:
        return {**tree, head: put(tree[head], rest, value)}
    if value is ...:
        return {key: old for key, old in tree.items() if key != head}
    return {**tree, head: value}
