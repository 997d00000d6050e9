"""Owns what becomes of rules when their day has passed. Must not know today: it is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TypeVar

from reconciler.policy.model import ListRule, MaskRule, Rules, SemanticRule

T = TypeVar("T", MaskRule, ListRule, SemanticRule)


def active(rules: Rules, today: date) -> tuple[Rules, tuple[str, ...]]:
    """The rules that hold today, and a line for each that no longer does. On its last day a rule still holds."""
    left = replace(
        rules,
        masks=_holding(rules.masks, today),
        lists=_holding(rules.lists, today),
        semantics=_holding(rules.semantics, today),
    )
    named: tuple[MaskRule | ListRule | SemanticRule, ...] = (*rules.masks, *rules.lists, *rules.semantics)
    gone = (rule for rule in named if rule.expires is not None and rule.expires < today)
    return left, tuple(dict.fromkeys(_said(rule) for rule in gone))


def _holding(rules: Iterable[T], today: date) -> tuple[T, ...]:
    return tuple(rule for rule in rules if rule.expires is None or rule.expires >= today)


def _said(rule: MaskRule | ListRule | SemanticRule) -> str:
    owner = rule.owner or "nobody"
    return f"rule {rule.id} expired on {rule.expires}, owner {owner}: what it hid is drift again"
