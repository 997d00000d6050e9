"""Owns opt-outs that Git itself declares on an object: which keys say so. Must not know what they leave to others."""

from __future__ import annotations

from reconciler.model.tree import child
from reconciler.policy.model import Rules
from reconciler.snapshot.model import Entry

_FIELDS = ("annotations", "labels")


def opt_out_keys(entry: Entry, rules: Rules) -> frozenset[tuple[str, str]]:
    """(field, key) of each opt-out that Git itself declares on the object; none: nothing is left to others."""
    declared = [(field, child(entry.metadata, field)) for field in _FIELDS]
    return frozenset(
        (field, rule.key)
        for field, values in declared
        if isinstance(values, dict)
        for rule in rules.opt_outs
        if values.get(rule.key) == rule.value
    )
