"""Owns what a rule may look at beside its object: all that Git declares, and what the cluster holds. Must not judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.gpu.mig_table import MigTable
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import Tree, dig

GroupKind = tuple[str, str]
_Objects = Mapping[GroupKind, Mapping[ObjectRef, Tree]]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class World:
    """Objects by kind, as written (version and all); those that Git declares stand before live ones of the same ref.

    `parse` reads the text of an embedded YAML or JSON document, or raises ValueError with one line. `clustered`: `live`
    is a whole cluster's, so what neither holds does not exist; without it only references that files must satisfy by
    themselves are judged. `retired`: what the revision before declared and this one does not: it will be deleted.
    """

    desired: _Objects
    parse: Callable[[str], Tree]
    mig: MigTable
    live: _Objects = field(default_factory=dict)
    clustered: bool = False
    retired: _Objects = field(default_factory=dict)
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, make: Callable[[World], _T]) -> _T:
        """What `make`, a function of a module, finds out about this world: asked for each object, made once."""
        if make not in self._known:
            self._known[make] = make(self)
        found: _T = self._known[make]
        return found

    def of(self, group: str, kind: str) -> Iterator[tuple[ObjectRef, Tree]]:
        """All objects of a kind: desired ones first, then live ones that Git does not declare."""
        declared = self.desired.get((group, kind), {})
        yield from declared.items()
        yield from ((ref, tree) for ref, tree in self.live.get((group, kind), {}).items() if ref not in declared)

    def find(self, group: str, kind: str, name: str, namespace: str = "") -> Tree | None:
        """The object of that name, as Git declares it or else as it is live."""
        ref = ObjectRef(group, kind, namespace, name)
        found = self.desired.get((group, kind), {}).get(ref)
        return self.live.get((group, kind), {}).get(ref) if found is None else found

    def live_twin(self, ref: ObjectRef) -> Tree | None:
        """The live object of that ref."""
        return self.live.get((ref.group, ref.kind), {}).get(ref)


def by_kind(objects: Iterable[Tree]) -> dict[GroupKind, dict[ObjectRef, Tree]]:
    """Index trees that have apiVersion, kind and metadata.name; of two of one ref the first stays."""
    found: dict[GroupKind, dict[ObjectRef, Tree]] = {}
    for tree in objects:
        group, _ = split_api_version(str(dig(tree, "apiVersion")))
        name, namespace = dig(tree, "metadata", "name"), dig(tree, "metadata", "namespace")
        ref = ObjectRef(group, str(dig(tree, "kind")), namespace if isinstance(namespace, str) else "", str(name))
        found.setdefault((group, ref.kind), {}).setdefault(ref, tree)
    return found
