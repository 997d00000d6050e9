"""Owns opt-outs that Git itself declares on an object: what they leave to others. Must not judge undeclared ones."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.policy.model import Rules
from reconciler.snapshot.model import Entry
from reconciler.snapshot.optout import opt_out_keys
from webhook.decision.violation import Violation


def left_to_others(entry: Entry, rules: Rules, violations: Sequence[Violation]) -> list[Violation]:
    """The violations that stay: all, or with an opt-out in Git only the opt-out's own key and undeclared metadata.

    Owners and finalizers are among the latter: they decide over the life of the object, and DELETE stays held.
    """
    keys = opt_out_keys(entry, rules) if violations else ()
    if not keys:
        return list(violations)
    return [one for one in violations if one.path[0] == "metadata" and (one.kind == "metadata" or one.path[1:] in keys)]
