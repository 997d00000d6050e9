"""Owns the look-up of the rule that makes a label or annotation a steering key. Must not say who may set it."""

from __future__ import annotations

from typing import Final

from reconciler.model.kept import kept
from reconciler.policy.model import SteeringRule
from reconciler.policy.select import any_kind

# Of the snapshot in force, and of one that a review has not done with.
_RULES_KEPT: Final = 4


def steering_rule(rules: tuple[SteeringRule, ...], group: str, kind: str, key: str) -> SteeringRule | None:
    """The rule whose key (or prefix before `*`) it is, of those for the kind."""
    if not key.startswith(_beginnings(rules)):
        return None
    for rule in rules:
        fits = key == rule.key or (rule.key.endswith("*") and key.startswith(rule.key[:-1]))
        if fits and (not rule.kinds or any_kind(rule.kinds, group, kind)):
            return rule
    return None


@kept(_RULES_KEPT)
def _beginnings(rules: tuple[SteeringRule, ...]) -> tuple[str, ...]:
    """How keys begin that some rule may name: most keys are told apart by this at once."""
    return tuple({rule.key.removesuffix("*") for rule in rules})
