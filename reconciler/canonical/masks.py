"""Owns which named rules hold for one object, and the removal of what they hide from want. Must not compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.canonical.form import Mask
from reconciler.canonical.items import item_key
from reconciler.model.path import field_name, split_pattern
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.policy.model import MaskRule
from reconciler.policy.select import any_kind
from reconciler.schema.types import TypeNode

# A CA that is no CA: "", "\n" and their base64, as charts write it for an injector to replace.
_PLACEHOLDERS: Final = (None, "", "\n", "Cg==", "Cg")
# Stands in a rule's paths for where the kind keeps its replicas: `specReplicasPath` of a custom resource.
REPLICAS: Final = "{replicas}"
MaskPath = tuple[str, ...]


def masks_for(
    ref: ObjectRef, declared: Tree, types: TypeNode, rules: Iterable[MaskRule], *, replicas_path: str = ""
) -> tuple[Mask, ...]:
    """The masks of one object: each rule's paths, as far as its condition holds there."""
    return tuple(
        Mask(path, rule.rule, rule.reason, rule.to, rule.allocated)
        for rule in rules
        if any_kind(rule.kinds, ref.group, ref.kind) and _holds(rule, declared)
        for pattern in rule.paths
        if (place := replicas_path if pattern == REPLICAS else pattern)
        for path in _places(split_pattern(place), declared, types, always=rule.when != "undeclared")
    )


def _holds(rule: MaskRule, declared: Tree) -> bool:
    return rule.when != "aggregated" or child(declared, "aggregationRule") is not ABSENT


def _places(pattern: MaskPath, declared: Tree, types: TypeNode, *, always: bool) -> Iterator[MaskPath]:
    """Where the pattern hides something: `*` splits into items as soon as Git declares the value in one of them."""
    if always or not _declares(pattern, declared):
        yield pattern
        return
    star = pattern.index("*") if "*" in pattern else -1
    if star < 0:
        return
    items, node = declared, types
    for part in pattern[:star]:
        items, node = child(items, part), node.at(part)
    for item in items if isinstance(items, list) else ():
        key = item_key(item, node)
        if key is not None and not _declares(pattern[star + 1 :], item):
            yield (*pattern[:star], field_name(key), *pattern[star + 1 :])


def _declares(pattern: MaskPath, tree: Tree) -> bool:
    if not pattern:
        return tree is not ABSENT and tree not in _PLACEHOLDERS
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        values = tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else ()
        return any(_declares(rest, value) for value in values)
    return _declares(rest, child(tree, head))


def without(tree: Tree, paths: Iterable[MaskPath], types: TypeNode) -> Tree:
    """`tree` without what stands at the masked paths; untouched parts are shared, not copied."""
    for path in paths:
        tree = _drop(tree, path, types)
    return tree


def _drop(tree: Tree, path: MaskPath, node: TypeNode) -> Tree:
    head, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [_drop(item, rest, node.item) if _hit(head, item, node) and rest else item for item in tree]
    if not isinstance(tree, dict) or head not in tree:
        return tree
    if not rest:
        return {key: value for key, value in tree.items() if key != head}
    return {**tree, head: _drop(tree[head], rest, node.at(head))}


def _hit(head: str, item: Tree, node: TypeNode) -> bool:
    key = item_key(item, node)
    return head == "*" or (key is not None and head == field_name(key))
