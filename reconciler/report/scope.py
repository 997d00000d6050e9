"""Owns which changes are drift under a policy: what it leaves to others at admission is none in the report either.

Must not know requests or who writes.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.compare.comparison import Change
from reconciler.model.path import Path
from reconciler.policy.model import Policy, Rules
from reconciler.snapshot.model import Entry
from reconciler.snapshot.optout import opt_out_keys


def guarded_changes(changes: Iterable[Change], entry: Entry, rules: Rules) -> tuple[Change, ...]:
    """The changes that are drift under the object's policy; what it leaves to others is not."""
    keys = opt_out_keys(entry, rules)
    return tuple(one for one in changes if _in_policy(one, entry.policy) and (not keys or _is_key(one.place, keys)))


def _is_key(place: Path, keys: frozenset[tuple[str, str]]) -> bool:
    return place[:1] == ("metadata",) and place[1:] in keys


def _in_policy(change: Change, policy: Policy) -> bool:
    if change.klass == "extra" and (policy.fragment or policy.undeclared == "Allow"):
        return False
    return not (policy.fragment and change.klass == "default-overridden")
