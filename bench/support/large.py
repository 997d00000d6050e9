"""Owns the large objects of the benchmarks, about 400 KB each, and what somebody did to them. Must not time.

They are what hurts a comparison: many keys, deep schemas, thousands of items with a key, without one, without order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.model.objects import Provenance, RenderedObject

Tree = dict[str, Any]
_ITEM = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "required": ["name"]}
_LISTS: Final[Tree] = {
    "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": _ITEM},
    "atomic": {"type": "array", "items": _ITEM},
    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class Large:
    """What Git declares, what is live, and what a comparison must say: the verdict, and how many changes."""

    name: str
    declared: Tree
    live: Tree
    verdict: Literal["same", "drift"]

    @property
    def rendered(self) -> RenderedObject:
        """The object as Git says it."""
        return RenderedObject(self.declared, Provenance("large", "", "large.yaml", 1))

    @property
    def kib(self) -> float:
        """Size of the live object."""
        return len(json.dumps(self.live)) / 1024


def crd() -> Tree:
    """The definition of the kind whose lists are long."""
    return _definition("Bulk", {"type": "object", "properties": _LISTS})


def unrelated(count: int) -> Iterator[Tree]:
    """So many definitions of kinds that no object of a benchmark is of."""
    for number in range(count):
        yield _definition(f"Other{number:03}", _schema(depth=2, width=4, leaves=6))


def large(scale: int = 100) -> Iterator[Large]:
    """All cases. `scale` in percent of 400 KB."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named("big"), "data": _texts(2 * scale)}
    yield _case("ConfigMap, same", config, _same)
    yield _case("ConfigMap, one value", config, lambda tree: tree["data"].update(key0007="other"))
    yield _case("ConfigMap, all values", config, lambda tree: tree.update(data=_each(tree["data"], "x")))
    schema = _definition("Deep", _schema(depth=4, width=4, leaves=max(1, scale // 6)))
    yield _case("CRD, same", schema, _same)
    yield _case("CRD, one change", schema, _other_leaf)
    rules = [_rule(number) for number in range(80 * scale // 4)]
    for kind in ("keyed", "atomic"):
        bulk = _bulk({kind: rules})
        yield _case(f"{kind} rules, same", bulk, _same)
        yield _case(f"{kind} rules, one differs", bulk, lambda tree: _rules(tree)[7].update(port=1))
        yield _case(f"{kind} rules, all differ", bulk, _other_ports)
        yield _case(f"{kind} rules, all gone", bulk, lambda tree: tree["spec"].clear())
        yield _case(f"{kind} rules, all new", _bulk({}), lambda tree, kind=kind: tree["spec"].update({kind: rules}))
    names = [f"member-{number:06}.example.com" for number in range(100 * scale)]
    members = _bulk({"set": names})
    yield _case("set, reversed", members, lambda tree: tree["spec"]["set"].reverse(), "same")
    yield _case("set, one differs", members, lambda tree: tree["spec"]["set"].append("one-more"))
    yield _case("set, all differ", members, lambda tree: tree["spec"].update(set=[f"x{name}" for name in names]))


def _case(name: str, declared: Tree, change: Callable[[Tree], object], verdict: Any = "") -> Large:
    live = json.loads(json.dumps(declared))
    change(live)
    return Large(name, declared, live, verdict or ("same" if change is _same else "drift"))


def _same(tree: Tree) -> None:
    """Nobody did anything."""


def _other_leaf(tree: Tree) -> None:
    node = tree["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    while "below1" in node["properties"]:
        node = node["properties"]["below1"]
    node["properties"]["leaf0"]["description"] = "another one"


def _other_ports(tree: Tree) -> None:
    for rule in _rules(tree):
        rule["to"]["port"] = 1
        rule["port"] = 1


def _rules(tree: Tree) -> list[Tree]:
    return next(iter(tree["spec"].values()))


def _rule(number: int) -> Tree:
    peers = [{"host": f"{letter}{number}.example.com"} for letter in "ab"]
    return {"name": f"rule-{number:05}", "from": peers, "to": {"port": number, "path": f"/v1/{number}"}, "port": number}


def _texts(count: int) -> dict[str, str]:
    return {f"key{number:04}": f"line {number} of a long text\n" * 75 for number in range(count)}


def _each(data: dict[str, str], more: str) -> dict[str, str]:
    return {key: value + more for key, value in data.items()}


def _bulk(spec: Tree) -> Tree:
    return {"apiVersion": "example.com/v1", "kind": "Bulk", "metadata": _named("big"), "spec": spec}


def _schema(depth: int, width: int, leaves: int) -> Tree:
    fields: Tree = {
        f"leaf{number}": {"type": "string", "description": f"What leaf {number} at depth {depth} is good for."}
        for number in range(leaves)
    }
    if depth:
        fields |= {f"below{number}": _schema(depth - 1, width, leaves) for number in range(width)}
    return {"type": "object", "properties": fields}


def _definition(kind: str, spec: Tree) -> Tree:
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _named(name: str) -> Tree:
    return {"name": name, "namespace": "shop"}
