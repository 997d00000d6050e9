"""Owns the sums: who was found to use which class, as counts, namespaces with owners, and examples. No finding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain, islice

from reconciler.gpu.users.model import ClassName, Tenant, Users
from reconciler.gpu.users.subject import State
from reconciler.limits import CENSUS_EXAMPLES, CENSUS_TENANTS
from reconciler.model.ref import ObjectRef


@dataclass(slots=True)
class _Found:
    users: dict[State, set[ObjectRef]] = field(default_factory=lambda: defaultdict(set))
    nodes: set[str] = field(default_factory=set)
    others: dict[str, set[ObjectRef]] = field(default_factory=lambda: defaultdict(set))


class Tally:
    """Gathers users of classes; whoever is found twice counts once."""

    def __init__(self) -> None:
        self._found: dict[ClassName, _Found] = defaultdict(_Found)

    def user(self, names: Iterable[ClassName], state: State, ref: ObjectRef) -> None:
        """`ref` uses these classes."""
        for name in names:
            self._found[name].users[state].add(ref)

    def node(self, name: ClassName, node: str) -> None:
        """The node offers the class, or is set up by it."""
        self._found[name].nodes.add(node)

    def other(self, name: ClassName, ref: ObjectRef) -> None:
        """`ref` names the class and is neither a Pod nor will make one."""
        self._found[name].others[ref.kind].add(ref)

    def sums(self, owners: Mapping[str, str]) -> dict[ClassName, Users]:
        """All classes that were found; `owners` by namespace."""
        return {name: _users(found, owners) for name, found in sorted(self._found.items())}


def _users(found: _Found, owners: Mapping[str, str]) -> Users:
    order: tuple[State, ...] = ("running", "pending", "templates", "claims")
    examples = chain.from_iterable(nsmallest(CENSUS_EXAMPLES, found.users.get(state, ())) for state in order)
    spaces = Counter(ref.namespace for refs in found.users.values() for ref in refs if ref.namespace)
    first = sorted(spaces.items(), key=lambda item: (-item[1], item[0]))[:CENSUS_TENANTS]
    return Users(
        **{state: len(found.users.get(state, ())) for state in order},
        nodes=len(found.nodes),
        others={kind: len(them) for kind, them in sorted(found.others.items())},
        namespaces=len(spaces),
        tenants=tuple(Tenant(name, owners.get(name, ""), count) for name, count in first),
        examples=tuple(map(_short, islice(examples, CENSUS_EXAMPLES))),
    )


def _short(ref: ObjectRef) -> str:
    place = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {place}"
