"""Owns opt-outs that Git itself declares on an object: which keys say so. Must not know what they leave to others."""

from __future__ import annotations

from reconciler.model.tree import dig
from reconciler.policy.model import Rules
from reconciler.snapshot.model import Entry

_FIELDS = ("annotations", "labels")


def opt_out_keys(entry: Entry, rules: Rules) -> frozenset[tuple[str, str]]:
    """(field, key) of each opt-out that Git itself declares on the object; none: nothing is left to others."""
    metadata, pairs = (
        dig(entry.object.want, "metadata"),
        [(field, rule) for field in _FIELDS for rule in rules.opt_outs],
    )
    return frozenset((field, rule.key) for field, rule in pairs if dig(metadata, field, rule.key) == rule.value)
