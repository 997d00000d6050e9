"""Owns the judging of an object's undeclared metadata: free keys, steering keys, finalizers, owners, last-applied.

Declared metadata is held like content and judged there. Must not judge `spec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconciler.canonical.volatile import LAST_APPLIED, is_bookkeeping, live_form
from reconciler.compare.contained import beyond
from reconciler.compare.equal import touched
from reconciler.compare.inside import respelled
from reconciler.compare.masking import build
from reconciler.compare.stored import want_of
from reconciler.embedded.parser import Parser, read_json
from reconciler.limits import REVIEW_DEPTH
from reconciler.model.path import readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child, deeper_than, dig, strict_equal
from reconciler.policy import steering
from reconciler.policy.model import Rules, SteeringRule
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision.identity import is_controller, is_one_of
from webhook.decision.marks import mark_of
from webhook.decision.types import Identity
from webhook.decision.violation import Violation

_OWNERS = ("metadata", "ownerReferences")


def judge_metadata(
    entry: Entry, snapshot: SnapshotView, identity: Identity, was: Tree, now: Tree, parse: Parser = read_json
) -> Iterator[Violation]:
    """Violations in labels, annotations, finalizers and ownerReferences that Git does not declare.

    `was` and `now` are the metadata alone. `parse` reads documents inside strings.
    """
    for field in ("labels", "annotations"):
        before, after = _map(child(was, field)), _map(child(now, field))
        if not before and not after:
            continue
        declared = _map(child(entry.metadata, field))
        for key in sorted(touched({**before, **after}, before, after)):
            if key not in declared:
                change = before.get(key, ABSENT), after.get(key, ABSENT)
                yield from _key(entry, snapshot, identity, (field, key), *change, parse)
    yield from _finalizers(entry, snapshot.rules, identity, was, now)
    if not entry.policy.fragment:  # anyone may delete it
        yield from _owners(entry, was, now)


def steering_rule(snapshot: SnapshotView, ref: ObjectRef, key: str) -> SteeringRule | None:
    """The rule whose key it is, of those for the object's kind."""
    return steering.steering_rule(snapshot.rules.steering, ref.group, ref.kind, key)


def _key(
    entry: Entry,
    snapshot: SnapshotView,
    identity: Identity,
    place: tuple[str, str],
    old: Tree,
    new: Tree,
    parse: Parser,
) -> Iterator[Violation]:
    field, key = place
    path = ("metadata", field, key)
    if key == LAST_APPLIED:
        free = new is ABSENT or entry.policy.fragment  # of a fragment others apply their own parts
        if not free and (wrong := last_applied_problem(entry, snapshot, identity, new, parse)):
            yield Violation(path, "metadata", f"a later apply would go by it, and {wrong}", ABSENT, old, new)
        return
    rule = steering_rule(snapshot, entry.ref, key)
    if rule is None or (new is ABSENT and rule.removable) or _may_steer(rule, entry, snapshot, identity, old, new):
        return
    yield Violation(path, "metadata", f"it {rule.reason}", ABSENT, old, new)


def _may_steer(
    rule: SteeringRule, entry: Entry, snapshot: SnapshotView, identity: Identity, old: Tree, new: Tree
) -> bool:
    if is_one_of(identity, rule.writers) and (not rule.initial or (old is ABSENT and new == rule.initial)):
        return True
    source = snapshot.sources.get(entry.source)
    mark = mark_of(rule, source, entry.ref) if source is not None else ""
    return bool(mark) and bool(new == mark)


def _finalizers(entry: Entry, rules: Rules, identity: Identity, was: Tree, now: Tree) -> Iterator[Violation]:
    """Anyone may add one; only its controller takes one away, and Git's own are judged as held."""
    gone = dict.fromkeys(_names(child(was, "finalizers")))
    if not gone:
        return
    kept = {*_names(child(now, "finalizers")), *_names(child(entry.metadata, "finalizers"))}
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
    owners = _items(child(now, "ownerReferences"))
    if not owners:
        return
    before, declared = (_items(child(metadata, "ownerReferences")) for metadata in (was, entry.metadata))
    known = {_identity(owner) for owner in (*before, *declared) if isinstance(owner, dict)}
    for owner in owners:
        if not isinstance(owner, dict) or _identity(owner) not in known:
            why = "the garbage collector would delete the object with that owner"
            yield Violation(_OWNERS, "metadata", why, ABSENT, ABSENT, owner)


def _identity(owner: dict[str, Tree]) -> tuple[str, ...]:
    """The uid counts: to the garbage collector an owner of that name with another uid is a dead one."""
    return tuple(repr(owner.get(key)) for key in ("apiVersion", "kind", "name", "uid"))


def last_applied_problem(
    entry: Entry, snapshot: SnapshotView, identity: Identity, text: Tree, parse: Parser = read_json
) -> str:
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
    content = respelled(content, obj, parse)
    place = beyond(content, want_of(obj), obj.types, build(obj.masks))
    if place is not None:
        return f"{readable(place)} is not in Git with that value"
    return _applied_metadata(entry, snapshot, identity, applied)


def _applied_metadata(entry: Entry, snapshot: SnapshotView, identity: Identity, applied: Tree) -> str:
    for field in ("labels", "annotations"):
        declared = child(entry.metadata, field)
        for key, value in _map(dig(applied, "metadata", field)).items():
            rule = steering_rule(snapshot, entry.ref, key)
            mine = rule is not None and _may_steer(rule, entry, snapshot, identity, ABSENT, value)
            said = value is not None and not is_bookkeeping(key)
            if said and not mine and not strict_equal(child(declared, key), value):
                return f"metadata.{field}[{key}] is not in Git with that value"
    for field in ("finalizers", "ownerReferences"):
        ours = _items(child(entry.metadata, field))
        if any(not any(strict_equal(item, own) for own in ours) for item in _items(dig(applied, "metadata", field))):
            return f"metadata.{field} is not what Git declares"
    return ""


def _names(tree: Tree) -> list[str]:
    """Looked up by their hash: anyone may add some ten thousand finalizers."""
    return [name for name in _items(tree) if isinstance(name, str)]


def _map(tree: Tree) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}


def _items(tree: Tree) -> list[Tree]:
    return tree if isinstance(tree, list) else []
