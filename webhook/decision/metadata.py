"""Owns the judging of an object's undeclared metadata: free keys, steering keys, finalizers, owners, last-applied.

Declared metadata is held like content and judged there. Must not judge `spec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from reconciler.canonical.volatile import LAST_APPLIED, live_form
from reconciler.compare.comparison import findings
from reconciler.compare.walk import UNKNOWN
from reconciler.model.tree import ABSENT, Tree, child, dig, strict_equal
from reconciler.policy.model import SteeringRule
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision.identity import has_real_token, is_one_of
from webhook.decision.types import Identity
from webhook.decision.violation import Violation


def judge_metadata(
    entry: Entry, snapshot: SnapshotView, identity: Identity, was: Tree, now: Tree
) -> Iterator[Violation]:
    """Violations in labels, annotations, finalizers and ownerReferences that Git does not declare."""
    for field in ("labels", "annotations"):
        before, after = dig(was, "metadata", field), dig(now, "metadata", field)
        keys = {*_keys(before), *_keys(after)} - set(_keys(dig(entry.object.want, "metadata", field)))
        for key in sorted(keys):
            old, new = child(before, key), child(after, key)
            if not strict_equal(old, new):
                yield from _key(entry, snapshot, identity, (field, key), old, new)
    yield from _finalizers(entry, identity, was, now)
    yield from _owners(entry, was, now)


def steering_rule(snapshot: SnapshotView, key: str) -> SteeringRule | None:
    """The rule whose key (or prefix before `*`) it is."""
    for rule in snapshot.rules.steering:
        if key == rule.key or (rule.key.endswith("*") and key.startswith(rule.key[:-1])):
            return rule
    return None


def _key(
    entry: Entry, snapshot: SnapshotView, identity: Identity, place: tuple[str, str], old: Tree, new: Tree
) -> Iterator[Violation]:
    field, key = place
    path = ("metadata", field, key)
    if key == LAST_APPLIED:
        if new is not ABSENT and (wrong := last_applied_problem(entry, snapshot, identity, new)):
            yield Violation(path, "metadata", f"an honest apply would later bring it in: {wrong}", ABSENT, old, new)
        return
    rule = steering_rule(snapshot, key)
    if rule is None or (new is ABSENT and rule.removable) or _may_steer(rule, entry, snapshot, identity, new):
        return
    yield Violation(path, "metadata", f"it {rule.reason}", ABSENT, old, new)


def _may_steer(rule: SteeringRule, entry: Entry, snapshot: SnapshotView, identity: Identity, new: Tree) -> bool:
    if is_one_of(identity, rule.writers):
        return True
    source = snapshot.sources.get(entry.object.provenance.source)
    if not rule.value or source is None or not source.release:
        return False
    return bool(new == rule.value.format(release=source.release, namespace=source.namespace))


def _finalizers(entry: Entry, identity: Identity, was: Tree, now: Tree) -> Iterator[Violation]:
    """Anyone may add one; only a controller takes one away, and Git's own are judged as held."""
    held = _items(dig(entry.object.want, "metadata", "finalizers"))
    kept = _items(dig(now, "metadata", "finalizers"))
    if has_real_token(identity) or identity.username.startswith("system:kube-"):
        return
    for name in _items(dig(was, "metadata", "finalizers")):
        if name not in kept and name not in held:
            yield Violation(
                ("metadata", "finalizers"), "metadata", "only its controller removes it", name, name, ABSENT
            )


def _owners(entry: Entry, was: Tree, now: Tree) -> Iterator[Violation]:
    """A forged owner makes the garbage collector delete the object; dropping an undeclared one is a repair."""
    known = [*_items(dig(was, "metadata", "ownerReferences"))]
    declared = _items(dig(entry.object.want, "metadata", "ownerReferences"))
    for owner in _items(dig(now, "metadata", "ownerReferences")):
        if not any(strict_equal(owner, other) for other in known) and not any(_same_owner(owner, d) for d in declared):
            why = "the garbage collector would delete the object with that owner"
            yield Violation(("metadata", "ownerReferences"), "metadata", why, ABSENT, ABSENT, owner)


def _same_owner(owner: Tree, declared: Tree) -> bool:
    keys = ("apiVersion", "kind", "name")
    return isinstance(owner, dict) and isinstance(declared, dict) and all(owner.get(k) == declared.get(k) for k in keys)


def last_applied_problem(entry: Entry, snapshot: SnapshotView, identity: Identity, text: Tree) -> str:
    """What the annotation holds that Git does not declare with that value, or "" (less than Git is fine, `{}` too)."""
    try:
        applied = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(applied, dict):
        return "it is no object"
    applied = live_form(applied, snapshot.secret_key)
    # Nobody has defaulted this text: what is missing or blank in it says nothing.
    lenient = replace(entry.object, confidence="offline")
    for finding in findings(lenient, UNKNOWN, applied):
        if finding.verdict != "missing" and finding.now is not ABSENT:
            return f"{'.'.join(str(part) for part in finding.path if isinstance(part, str))} is not what Git declares"
    return _applied_metadata(entry, snapshot, identity, applied)


def _applied_metadata(entry: Entry, snapshot: SnapshotView, identity: Identity, applied: Tree) -> str:
    for field in ("labels", "annotations"):
        declared = _keys(dig(entry.object.want, "metadata", field))
        for key, value in _pairs(dig(applied, "metadata", field)):
            rule = steering_rule(snapshot, key)
            mine = rule is not None and _may_steer(rule, entry, snapshot, identity, value)
            if key not in declared and not mine:
                return f"metadata.{field}[{key}] is not in Git"
    for field in ("finalizers", "ownerReferences"):
        if _items(dig(applied, "metadata", field)) and dig(entry.object.want, "metadata", field) is ABSENT:
            return f"metadata.{field} is not in Git"
    return ""


def _keys(tree: Tree) -> list[str]:
    return list(tree) if isinstance(tree, dict) else []


def _pairs(tree: Tree) -> list[tuple[str, Tree]]:
    return list(tree.items()) if isinstance(tree, dict) else []


def _items(tree: Tree) -> list[Tree]:
    return tree if isinstance(tree, list) else []
