"""Owns policies that are there on an occasion: while Git declares some other object. Must not match objects.

What is settled here is settled for one set of desired objects, off the admission path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from reconciler.model.path import split_pattern
from reconciler.model.ref import split_api_version
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Policy, Rules
from reconciler.policy.select import any_kind

_PATTERN_SIGNS: Final = frozenset("*?[")


def settled(rules: Rules, declared: Iterable[Tree]) -> Rules:
    """The rules without policies that have no occasion among `declared`, the others narrowed to what that names."""
    kinds = tuple(dict.fromkeys(kind for policy in rules.policies for kind in policy.once))
    if not kinds:
        return rules
    occasions = [tree for tree in declared if _is_one(tree, kinds)]
    found = (_narrowed(policy, occasions) if policy.once else policy for policy in rules.policies)
    return replace(rules, policies=tuple(policy for policy in found if policy is not None))


def _narrowed(policy: Policy, occasions: Sequence[Tree]) -> Policy | None:
    mine = [tree for tree in occasions if _is_one(tree, policy.once)]
    if not policy.named_by:
        return policy if mine else None
    names = tuple(sorted(set(_names(mine, policy.named_by))))
    return replace(policy, match=tuple(replace(one, names=names) for one in policy.match)) if names else None


def _names(trees: Iterable[Tree], pointers: Iterable[str]) -> Iterator[str]:
    paths = [split_pattern(pointer) for pointer in pointers]
    found = (dig(tree, *path) for tree in trees for path in paths)
    # A name of this kind could not be an object's, and would be a pattern for all of them.
    return (name for name in found if isinstance(name, str) and name and not _PATTERN_SIGNS & set(name))


def _is_one(tree: Tree, kinds: tuple[str, ...]) -> bool:
    version, kind = dig(tree, "apiVersion"), dig(tree, "kind")
    return isinstance(version, str) and isinstance(kind, str) and any_kind(kinds, split_api_version(version)[0], kind)
