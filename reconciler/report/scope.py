"""Owns which changes are drift under a policy: what it leaves to others at admission is none in the report either.

Must not know requests or who writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import Change, Comparison, compare
from reconciler.compare.leaves import covered, leaves_between
from reconciler.embedded.parser import Parser
from reconciler.model.path import Path
from reconciler.model.tree import Tree, dig
from reconciler.policy.closed import closed_paths
from reconciler.policy.exclusive import is_named
from reconciler.policy.model import Rules
from reconciler.policy.select import any_kind
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.snapshot.optout import opt_out_keys

_WRITES: Final = frozenset({"CREATE", "UPDATE"})


def drift_of(entry: Entry, live: Tree, snapshot: MemorySnapshot, parse: Parser) -> Comparison:
    """The comparison of a guarded object with its live twin, less what its policy leaves to others.

    `live` is as the API server returns it; `parse` reads documents inside strings.
    """
    ref, rules = entry.object.ref, snapshot.rules
    closed = entry.policy.undeclared == "Deny" or bool(closed_paths(rules, ref.group, ref.kind))
    shown, managed = live_form(live, snapshot.secret_key), dig(live, "metadata", "managedFields")
    found = compare(entry.object, shown, managed, undeclared=closed and not entry.policy.fragment, parse=parse)
    return replace(found, changes=guarded_changes(found.changes, entry, rules))


def guarded_changes(changes: Iterable[Change], entry: Entry, rules: Rules) -> tuple[Change, ...]:
    """The changes that are drift under the object's policy; what it leaves to others is not."""
    keys = opt_out_keys(entry, rules)
    kept = (one for one in changes if _in_policy(one, entry, rules) and (not keys or _is_key(one.place, keys)))
    return tuple(one for one in kept if not _delegated(one, entry, rules))


def _delegated(change: Change, entry: Entry, rules: Rules) -> bool:
    """True for what the object's policy leaves to somebody, and for additions that a shipped rule names by path.

    A rule that opens whole objects for repairs says nothing about what is right in them.
    """
    shipped = rules.delegations if change.klass == "extra" else ()
    ref = entry.object.ref
    patterns = [
        path
        for one in (*entry.policy.delegate, *shipped)
        if not one.undeclared_only
        and any_kind(one.kinds, ref.group, ref.kind)
        and is_named(one, ref)
        and set(one.operations or ("UPDATE",)) & _WRITES
        for path in one.paths
        if path != "/**" or one in entry.policy.delegate
    ]
    if not patterns:
        return False
    leaves = list(leaves_between(change.place, change.desired, change.live)) or [change.place]
    return all(covered(leaf, patterns) for leaf in leaves)


def _is_key(place: Path, keys: frozenset[tuple[str, str]]) -> bool:
    return place[:1] == ("metadata",) and place[1:] in keys


def _in_policy(change: Change, entry: Entry, rules: Rules) -> bool:
    policy, ref = entry.policy, entry.object.ref
    if change.klass == "extra" and policy.undeclared == "Allow" and not policy.fragment:
        return covered(change.place, closed_paths(rules, ref.group, ref.kind))
    if change.klass == "extra" and policy.fragment:
        return False
    return not (policy.fragment and change.klass == "default-overridden")
