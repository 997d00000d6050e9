"""Owns the judging of an object's undeclared metadata: free keys, steering keys, finalizers, owners, last-applied.

Declared metadata is held like content and judged there. Must not judge `spec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconciler.canonical.volatile import LAST_APPLIED, is_bookkeeping, live_form
from reconciler.compare.contained import beyond
from reconciler.compare.masking import build
from reconciler.compare.stored import want_of
from reconciler.limits import REVIEW_DEPTH
from reconciler.model.path import readable
from reconciler.model.tree import ABSENT, Tree, child, deeper_than, dig, strict_equal
from reconciler.policy.model import Rules, SteeringRule
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision.identity import is_controller, is_one_of
from webhook.decision.marks import mark_of
from webhook.decision.types import Identity
from webhook.decision.violation import Violation

_OWNERS = ("metadata", "ownerReferences")


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
    yield from _finalizers(entry, snapshot.rules, identity, was, now)
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
            yield Violation(path, "metadata", f"a later apply would go by it, and {wrong}", ABSENT, old, new)
        return
    rule = steering_rule(snapshot, key)
    if rule is None or (new is ABSENT and rule.removable) or _may_steer(rule, entry, snapshot, identity, old, new):
        return
    yield Violation(path, "metadata", f"it {rule.reason}", ABSENT, old, new)


def _may_steer(
    rule: SteeringRule, entry: Entry, snapshot: SnapshotView, identity: Identity, old: Tree, new: Tree
) -> bool:
    if is_one_of(identity, rule.writers) and (not rule.initial or (old is ABSENT and new == rule.initial)):
        return True
    source = snapshot.sources.get(entry.object.provenance.source)
    mark = mark_of(rule, source, entry.object.ref) if source is not None else ""
    return bool(mark) and bool(new == mark)


def _finalizers(entry: Entry, rules: Rules, identity: Identity, was: Tree, now: Tree) -> Iterator[Violation]:
    """Anyone may add one; only its controller takes one away, and Git's own are judged as held."""
    gone = dict.fromkeys(_names(dig(was, "metadata", "finalizers")))
    kept = {*_names(dig(now, "metadata", "finalizers")), *_names(dig(entry.object.want, "metadata", "finalizers"))}
    for name in gone:
        if name not in kept and not _may_release(name, rules, identity):
            yield Violation(
                ("metadata", "finalizers"), "metadata", "only its controller removes it", name, name, ABSENT
            )


def _may_release(name: str, rules: Rules, identity: Identity) -> bool:
    """Whose a finalizer of Kubernetes is, is known; of any other, that it is a controller's."""
    known = [rule.to for rule in rules.finalizers if rule.key == name]
    return is_one_of(identity, known[0]) if known else is_controller(identity)


def _owners(entry: Entry, was: Tree, now: Tree) -> Iterator[Violation]:
    """A forged owner makes the garbage collector delete the object; dropping an undeclared one is a repair."""
    before, declared = (_items(dig(tree, *_OWNERS)) for tree in (was, entry.object.want))
    known = {_identity(owner) for owner in (*before, *declared) if isinstance(owner, dict)}
    for owner in _items(dig(now, *_OWNERS)):
        if not isinstance(owner, dict) or _identity(owner) not in known:
            why = "the garbage collector would delete the object with that owner"
            yield Violation(_OWNERS, "metadata", why, ABSENT, ABSENT, owner)


def _identity(owner: dict[str, Tree]) -> tuple[str, ...]:
    """The uid counts: to the garbage collector an owner of that name with another uid is a dead one."""
    return tuple(repr(owner.get(key)) for key in ("apiVersion", "kind", "name", "uid"))


def last_applied_problem(entry: Entry, snapshot: SnapshotView, identity: Identity, text: Tree) -> str:
    """What the annotation holds that Git does not declare with that value, or "" (less than Git is fine, `{}` too)."""
    try:
        applied = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(applied, dict):
        return "it is no object"
    if deeper_than(applied, REVIEW_DEPTH):
        return "it is nested too deeply"
    obj = entry.object
    # Whatever kind the text claims to be, its values are those of this object.
    applied = live_form({**applied, "apiVersion": obj.kind.api_version, "kind": obj.ref.kind}, snapshot.secret_key)
    content = {key: value for key, value in applied.items() if key != "metadata"}
    place = beyond(content, want_of(obj), obj.types, build(obj.masks))
    if place is not None:
        return f"{readable(place)} is not in Git with that value"
    return _applied_metadata(entry, snapshot, identity, applied)


def _applied_metadata(entry: Entry, snapshot: SnapshotView, identity: Identity, applied: Tree) -> str:
    for field in ("labels", "annotations"):
        declared = dig(entry.object.want, "metadata", field)
        for key, value in _pairs(dig(applied, "metadata", field)):
            rule = steering_rule(snapshot, key)
            mine = rule is not None and _may_steer(rule, entry, snapshot, identity, ABSENT, value)
            said = value is not None and not is_bookkeeping(key)
            if said and not mine and not strict_equal(child(declared, key), value):
                return f"metadata.{field}[{key}] is not in Git with that value"
    for field in ("finalizers", "ownerReferences"):
        ours = _items(dig(entry.object.want, "metadata", field))
        if any(not any(strict_equal(item, own) for own in ours) for item in _items(dig(applied, "metadata", field))):
            return f"metadata.{field} is not what Git declares"
    return ""


def _names(tree: Tree) -> list[str]:
    """Looked up by their hash: anyone may add some ten thousand finalizers."""
    return [name for name in _items(tree) if isinstance(name, str)]


def _keys(tree: Tree) -> list[str]:
    return list(tree) if isinstance(tree, dict) else []


def _pairs(tree: Tree) -> list[tuple[str, Tree]]:
    return list(tree.items()) if isinstance(tree, dict) else []


def _items(tree: Tree) -> list[Tree]:
    return tree if isinstance(tree, list) else []
