"""Owns the form in which types travel: a list of nodes that name each other by index. Must not read or write files.

So the PodSpec that twelve kinds share is stored, and later held in memory, once; and a type may contain itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.schema.fill import OPEN, Known
from reconciler.schema.types import PLAIN, TypeNode

Packed = dict[str, Any]


def pack(roots: Mapping[str, TypeNode], *, full: bool) -> Packed:
    """`{"nodes": [...], "roots": {name: index}}`, in the order of names.

    `full` is for the packaged types of Kubernetes: all field names, and the definition of each node instead of what is
    known of it. Otherwise only what a comparison in the webhook needs is kept.
    """
    packer = _Packer(full=full, loud=frozenset() if full else _loud(roots.values()))
    return {"roots": {name: packer.index(roots[name], root=True) for name in sorted(roots)}, "nodes": packer.nodes}


def unpack(data: Mapping[str, Any], known: Mapping[str, Known] | None = None) -> dict[str, TypeNode]:
    """Read back what `pack` wrote. `known` by definition: what is not in it is open; None: nothing is said."""
    reader = Unpacker(data["nodes"], known)
    return {name: reader.node(index) for name, index in data["roots"].items()}


def dump(node: TypeNode) -> Packed:
    """One type, as a snapshot carries it."""
    return pack({"": node}, full=False)


def load(data: Packed) -> TypeNode:
    """Read back what `dump` wrote."""
    return unpack(data)[""]


@dataclass(slots=True)
class _Packer:
    full: bool
    nodes: list[dict[str, Any]] = field(default_factory=list)
    loud: frozenset[int] = frozenset()
    _places: dict[Any, int] = field(default_factory=dict)

    def index(self, node: TypeNode, *, root: bool = False) -> int:
        """The place of `node`. A definition is the same wherever it stands; a root is its own."""
        key = node.definition if self.full and node.definition and not root else id(node)
        if key in self._places:
            return self._places[key]
        self._places[key] = len(self.nodes)
        data: dict[str, Any] = {}
        self.nodes.append(data)
        data.update(_own(node, full=self.full))
        fields = {name: below for name, below in sorted(node.fields.items()) if self.full or not self.silent(below)}
        if fields:
            data["f"] = {name: self.index(below) for name, below in fields.items()}
        if node.each is not None and (self.full or not self.silent(node.each)):
            data["e"] = self.index(node.each)
        return self._places[key]

    def silent(self, node: TypeNode) -> bool:
        """True where neither the node nor anything below it says more than "map, atomic list or plain scalar"."""
        return id(node) not in self.loud


def _loud(roots: Iterable[TypeNode]) -> frozenset[int]:
    """Ids of the nodes that say something, themselves or below."""
    above: dict[int, list[TypeNode]] = {}
    seen: dict[int, TypeNode] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        for below in _below(node):
            above.setdefault(id(below), []).append(node)
            waiting.append(below)
    loud: set[int] = set()
    waiting = [node for node in seen.values() if _own(node, full=False)]
    while waiting:
        node = waiting.pop()
        if id(node) not in loud:
            loud.add(id(node))
            waiting += above.get(id(node), ())
    return frozenset(loud)


def _below(node: TypeNode) -> list[TypeNode]:
    return [*node.fields.values(), *([node.each] if node.each is not None else [])]


def _own(node: TypeNode, *, full: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "l": node.list_type if node.list_type != "atomic" else "",
        "k": list(node.keys),
        "d": dict(node.defaults),
        "s": "" if node.scalar in ("raw", "string") and not full else node.scalar,
        "o": node.ordered,
        "u": node.custom,
    }
    if full:
        said |= {"c": node.closed, "n": node.definition}
    return {name: value for name, value in said.items() if value}


@dataclass(slots=True)
class Unpacker:
    """Nodes by index, each made when it is first asked for."""

    data: list[Mapping[str, Any]]
    known: Mapping[str, Known] | None = None
    _nodes: dict[int, TypeNode] = field(default_factory=dict)
    _fields: dict[int, dict[str, TypeNode]] = field(default_factory=dict)

    def node(self, index: int) -> TypeNode:
        """The node at `index`; a node that contains itself is one object."""
        found = self._nodes.get(index)
        if found is not None:
            return found
        data = self.data[index]
        if not data:
            return self._nodes.setdefault(index, PLAIN)
        fields: dict[str, TypeNode] = {}
        node = TypeNode(
            fields=fields,
            list_type=data.get("l", "atomic"),
            keys=tuple(data.get("k", ())),
            defaults=data.get("d", {}),
            scalar=data.get("s", ""),
            ordered=data.get("o", False),
            closed=data.get("c", False),
            known=self._known(data.get("n", "")),
            custom=data.get("u", False),
            definition=data.get("n", ""),
        )
        self._nodes[index] = node
        if "e" in data:
            # Frozen for everyone else: only a cycle needs a node before what it is made of.
            object.__setattr__(node, "each", self.node(data["e"]))
        fields.update((name, self.node(below)) for name, below in data.get("f", {}).items())
        return node

    def _known(self, definition: str) -> Known | None:
        if self.known is None or not definition:
            return None
        return self.known.get(definition, OPEN)
