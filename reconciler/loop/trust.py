"""Owns whose mutations are wanted: mutators that a policy names, or that Git declares and that stand as declared. Pure.

By effect: a mutator that nobody trusts harms nothing as long as the server's answer holds nothing unexplained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reconciler.canonical.volatile import live_form
from reconciler.cluster.mutators import GROUP, MUTATING, Mutator
from reconciler.compare.comparison import compare
from reconciler.loop.assemble import Declared
from reconciler.loop.server_state import ServerState
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Policy

_SHOWN: Final = 3
_ADVICE: Final = "declare it in Git, or name it in `trustedMutators` of the policy"
UNTRUSTED: Final = "untrusted-mutator"
Basis = frozenset[str]


def mutating(refs: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
    """The mutating configurations, policies and bindings among `refs`."""
    return frozenset(ref for ref in refs if ref.group == GROUP and ref.kind in MUTATING)


def basis(policy: Policy, declared: Iterable[ObjectRef]) -> Basis:
    """On whose word mutations were taken into a form: names of a policy, and what `mutating` gives of all declared."""
    return frozenset(policy.trusted_mutators) | {str(ref) for ref in declared}


@dataclass(frozen=True, slots=True)
class View:
    """The server as the objects of one assembly meet it.

    `declared` are the mutating configurations, policies and bindings that Git declares, `sound` those of them that the
    cluster holds just so.
    """

    state: ServerState = field(default_factory=ServerState)
    declared: frozenset[ObjectRef] = frozenset()
    sound: frozenset[ObjectRef] = frozenset()
    _prints: dict[tuple[KindInfo, str, str], str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, state: ServerState, objects: Mapping[ObjectRef, Declared], secret_key: bytes) -> View:
        """The view of these declared objects on the server."""
        parts = [(ref, tree) for mutator in state.mutators for ref, tree in mutator.parts.items() if ref in objects]
        sound = (ref for ref, tree in parts if not compare(objects[ref].form, live_form(tree, secret_key)).changes)
        return cls(state, mutating(objects), frozenset(sound))

    def fingerprint(self, one: Declared) -> str:
        """Changes with whatever may change the server's form of `one`, its own content excepted."""
        key = (one.kind, one.ref.namespace, one.policy.name)
        if key not in self._prints:
            met = [(str(m), m.digest, self.trusts(m, one.policy)) for m in self._matching(one)]
            said = json.dumps([self.state.facts(one.kind, one.ref.namespace), met])
            self._prints[key] = hashlib.sha256(said.encode()).hexdigest()
        return self._prints[key]

    def untrusted(self, one: Declared) -> tuple[Mutator, ...]:
        """Mutators that may change `one` though nobody trusts them."""
        return tuple(mutator for mutator in self._matching(one) if not self.trusts(mutator, one.policy))

    def trusts(self, mutator: Mutator, policy: Policy) -> bool:
        """Named by the policy, or Git declares all of it and the cluster holds nothing else."""
        return mutator.name in policy.trusted_mutators or self.sound.issuperset(mutator.parts)

    def basis(self, one: Declared) -> Basis:
        """On whose word mutations of `one` are wanted now."""
        return basis(one.policy, self.declared)

    def _matching(self, one: Declared) -> list[Mutator]:
        return [mutator for mutator in self.state.mutators if mutator.matches(one.kind)]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What mutators that nobody trusts may have done to the dry-run of one object; `paths` are pointers to it."""

    ref: ObjectRef
    mutators: tuple[Mutator, ...]
    paths: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(map(str, self.mutators))
        return f"{UNTRUSTED}: {names} would make something else of it at {_some(self.paths)}; {_ADVICE}"


@dataclass(frozen=True, slots=True)
class Accused:
    """A live part of a mutator that nobody trusts, and what it does, in words."""

    ref: ObjectRef
    tree: Tree
    reason: str


def accused(suspicions: Iterable[Suspicion], view: View) -> tuple[Accused, ...]:
    """The parts that stand in the cluster other than Git says, each with the objects that they may change."""
    trees: dict[ObjectRef, Tree] = {}
    changed: dict[ObjectRef, list[str]] = {}
    for one in suspicions:
        for ref, tree in ((ref, tree) for mutator in one.mutators for ref, tree in mutator.parts.items()):
            if ref not in view.sound:
                trees[ref] = tree
                changed.setdefault(ref, []).append(f"{one.ref} at {one.paths[0]}")
    return tuple(Accused(ref, trees[ref], _reason(sorted(set(changed[ref])))) for ref in sorted(trees))


def _reason(places: list[str]) -> str:
    return f"{UNTRUSTED}: it would make something else of what Git declares: {_some(places)}; {_ADVICE}"


def _some(places: Sequence[str]) -> str:
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
