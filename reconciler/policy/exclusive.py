"""Owns which undeclared objects are strays of an exclusive kind. Must not know who writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from reconciler.model.kept import kept
from reconciler.model.path import split_pattern
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, CONTAINERS, Tree, dig
from reconciler.policy.model import Delegation, Policy, Rules
from reconciler.policy.select import any_kind, takes_in

_RULES_KEPT: Final = 4
_KINDS_KEPT: Final = 256


def concerns(policy: Policy, ref: ObjectRef, tree: Tree) -> bool:
    """True if an undeclared object falls under the policy, by its kind, its names and its values."""
    return takes_in(policy, ref) and all(_fits(dig(tree, *split_pattern(at)), some) for at, some in policy.only_where)


def occasional(rules: Rules, group: str, kind: str) -> tuple[Policy, ...]:
    """Policies that make a kind exclusive although Git need not declare an object of it."""
    return _occasional(rules.policies)(group, kind)


@kept(_RULES_KEPT)
def _occasional(policies: tuple[Policy, ...]) -> Callable[[str, str], tuple[Policy, ...]]:
    some = [policy for policy in policies if policy.once and policy.exclusive]

    def of_kind(group: str, kind: str) -> tuple[Policy, ...]:
        return tuple(one for one in some if any(any_kind(match.kinds, group, kind) for match in one.match))

    return lru_cache(_KINDS_KEPT)(of_kind)


def is_operators_own(rules: Rules, ref: ObjectRef) -> bool:
    """True for objects of names that an operator keeps beside those of Git."""
    return any(
        one.undeclared_only and one.names and any_kind(one.kinds, ref.group, ref.kind) and is_named(one, ref)
        for one in rules.delegations
    )


def is_named(delegation: Delegation, ref: ObjectRef) -> bool:
    """True if the delegation is for objects of this name."""
    return not delegation.names or any(fnmatchcase(ref.name, pattern) for pattern in delegation.names)


def _fits(value: Tree, patterns: tuple[str, ...]) -> bool:
    if value is ABSENT or isinstance(value, CONTAINERS):
        return False
    text = value if isinstance(value, str) else json.dumps(value)
    return any(fnmatchcase(text, pattern) for pattern in patterns)
