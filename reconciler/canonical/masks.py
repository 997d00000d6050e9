"""Owns which named rules hold for one object, what they hide, and its removal from want. Must not compare."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from reconciler.canonical.form import Mask
from reconciler.canonical.items import item_key, item_name
from reconciler.model.path import ItemKey, field_name, split_pattern
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, CONTAINERS, Tree, child
from reconciler.policy.model import Condition, MaskRule
from reconciler.policy.pattern import REPLICAS, item_values
from reconciler.policy.select import any_kind
from reconciler.schema.types import TypeNode

MaskPath = tuple[str, ...]
_UNDECLARED: Final = (None, "")
_ENDS: Final[tuple[MaskPath, ...]] = ((), ("**",))
_CA: Final = "{ca}"
ANYTHING: Final = "{any}"
"""Stands in conditions for a value of any kind, if it is there."""
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_SEQUENCE: Final = 0x30


def masks_for(
    ref: ObjectRef,
    declared: Tree,
    types: TypeNode,
    rules: Iterable[MaskRule],
    *,
    source: str = "",
    replicas_path: str = "",
) -> tuple[Mask, ...]:
    """The masks of one object that `source` declares: each rule's paths, as far as its conditions hold there."""
    return tuple(
        replace(mask, path=path)
        for rule in rules
        if _concerns(rule, ref, source, declared)
        for mask in (_mask(rule, ref),)
        for pattern in rule.paths
        if (place := replicas_path if pattern == REPLICAS else pattern)
        for resolved in _resolved(split_pattern(place), declared, types)
        for path in _places(rule, resolved, declared, types)
    )


def hides(mask: Mask, want: Tree, now: Tree) -> bool:
    """True if `mask`, which stands at this place, holds for the two values. `mask.manager` is not asked here."""
    if mask.extra and want is not ABSENT:
        return False
    return not mask.value or all(_fits_at(pointer, patterns, now) for pointer, patterns in mask.value)


def plausible_ca(value: Tree) -> bool:
    """True for certificates in PEM, or the base64 of it: each block must hold DER of its full length."""
    if not isinstance(value, str):
        return False
    try:
        text = value if "-----BEGIN" in value else base64.b64decode("".join(value.split()), validate=True).decode()
        blocks = [base64.b64decode("".join(block.split()), validate=True) for block in _CERTIFICATE.findall(text)]
    except (binascii.Error, ValueError):
        return False
    return bool(blocks) and len(blocks) == text.count("-----BEGIN") and all(map(_is_sequence, blocks))


def _is_sequence(der: bytes) -> bool:
    """An ASN.1 sequence that ends where its header says."""
    if len(der) < 2 or der[0] != _SEQUENCE:
        return False
    size, more = der[1], 0
    if size & 0x80:
        more = size & 0x7F
        size = int.from_bytes(der[2 : 2 + more])
    return len(der) == 2 + more + size


def hidden_paths(masks: Iterable[Mask]) -> Iterator[MaskPath]:
    """The paths of the masks that hide whatever stands there; of the others, want keeps what Git declares."""
    return (mask.path for mask in masks if not (mask.extra or mask.value or mask.manager))


def allocated_paths(masks: Iterable[Mask], declared: Tree) -> Iterator[MaskPath]:
    """The paths of the masks that hide values of a certain form, where Git declares none: a server put it there."""
    conditional = (mask for mask in masks if mask.value and not (mask.extra or mask.manager))
    return (mask.path for mask in conditional if not _declares(mask.path, declared, placeholder=False))


def without(tree: Tree, paths: Iterable[MaskPath], types: TypeNode) -> Tree:
    """`tree` without what stands at the masked paths; untouched parts are shared, not copied."""
    for path in paths:
        tree = _drop(tree, path, types)
    return tree


def without_extras(tree: Tree, masks: Iterable[Mask], declared: Tree, types: TypeNode) -> Tree:
    """`tree` without the undeclared items of lists that masks of extras hide: each server makes its own."""
    for mask in masks:
        if mask.extra and not mask.manager:
            tree = _drop_extras(tree, declared, mask, mask.path, types)
    return tree


def _drop_extras(tree: Tree, declared: Tree, mask: Mask, path: MaskPath, node: TypeNode) -> Tree:
    if not path:
        return tree
    head, rest = path[0], path[1:]
    if isinstance(tree, list):
        said = {item_name(item, index, node): item for index, item in enumerate(declared or ())}
        tokens = [item_name(item, index, node) for index, item in enumerate(tree)]
        if not rest and head == "*":
            return [
                item for token, item in zip(tokens, tree, strict=True) if token in said or not hides(mask, ABSENT, item)
            ]
        pairs = zip(tokens, tree, strict=True)
        return [
            _drop_extras(item, said.get(token), mask, rest, node.item) if head in ("*", token) else item
            for token, item in pairs
        ]
    if not isinstance(tree, dict) or head not in tree:
        return tree
    said_below = declared.get(head) if isinstance(declared, dict) else None
    return {**tree, head: _drop_extras(tree[head], said_below, mask, rest, node.at(head))}


def _concerns(rule: MaskRule, ref: ObjectRef, source: str, declared: Tree) -> bool:
    return (
        any_kind(rule.kinds, ref.group, ref.kind)
        and _one_of(rule.names, ref.name)
        and _one_of(rule.namespaces, ref.namespace)
        and _one_of(rule.sources, source)
        and (rule.when != "aggregated" or child(declared, "aggregationRule") is not ABSENT)
    )


def _one_of(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _mask(rule: MaskRule, ref: ObjectRef) -> Mask:
    return Mask(
        path=(),
        rule=rule.id,
        reason=rule.reason,
        to=rule.to,
        allocated=rule.allocated,
        extra=rule.when == "extra",
        value=_of(ref, rule.value),
        manager=rule.manager,
    )


def _of(ref: ObjectRef, value: Condition) -> Condition:
    return tuple((at, tuple(pattern.replace("{name}", ref.name) for pattern in patterns)) for at, patterns in value)


def _fits_at(pointer: str, patterns: tuple[str, ...], value: Tree) -> bool:
    for token in split_pattern(pointer) if pointer else ():
        if isinstance(value, list):
            value = value[int(token)] if token.isdecimal() and int(token) < len(value) else ABSENT
        else:
            value = child(value, token)
    if ANYTHING in patterns:
        return value is not ABSENT and value not in (None, {}, [])
    if value is ABSENT or isinstance(value, CONTAINERS):
        return False
    text = value if isinstance(value, str) else json.dumps(value)
    return any(plausible_ca(value) if pattern == _CA else fnmatchcase(text, pattern) for pattern in patterns)


def _resolved(pattern: MaskPath, declared: Tree, node: TypeNode) -> Iterator[MaskPath]:
    """The pattern with indices and filters as the keys of the items that Git declares there."""
    if not pattern:
        yield ()
        return
    head, rest = pattern[0], pattern[1:]
    for token, below in _items(head, declared, node):
        yield from ((token, *path) for path in _resolved(rest, below, node.at(head)))


def _items(head: str, declared: Tree, node: TypeNode) -> Iterator[tuple[str, Tree]]:
    values = item_values(head)
    items = declared if isinstance(declared, list) else []
    if values is not None:
        key = item_key(values, node)
        found = [index for index, item in enumerate(items) if _matches(values, item)]
        yield from ((item_name(items[index], index, node), items[index]) for index in found)
        if not found and key is not None and set(values) <= set(node.keys):
            yield field_name(key), ABSENT
    elif isinstance(declared, list) and head.isdecimal():
        if int(head) < len(items):
            yield item_name(items[int(head)], int(head), node), items[int(head)]
    else:
        yield head, child(declared, head)


def _matches(values: dict[str, Tree], item: Tree) -> bool:
    return ItemKey(tuple(values.items())).may_match(item)


def _places(rule: MaskRule, pattern: MaskPath, declared: Tree, node: TypeNode) -> Iterator[MaskPath]:
    if rule.when in ("undeclared", "placeholder"):
        return _undeclared(pattern, declared, node, rule.when == "placeholder")
    return iter((pattern,))


def _undeclared(pattern: MaskPath, tree: Tree, node: TypeNode, placeholder: bool) -> Iterator[MaskPath]:
    """Where Git leaves the value out: `*` splits into items as soon as Git declares it in one of them."""
    if not _declares(pattern, tree, placeholder):
        yield pattern
    elif pattern not in _ENDS:
        head, rest = pattern[0], pattern[1:]
        for token, below in _below(head, tree, node):
            yield from ((token, *path) for path in _undeclared(rest, below, node.at(head), placeholder))


def _declares(pattern: MaskPath, tree: Tree, placeholder: bool) -> bool:
    if pattern in _ENDS:
        stands_for_nothing = placeholder and isinstance(tree, str) and not plausible_ca(tree)
        return tree is not ABSENT and tree not in _UNDECLARED and not stands_for_nothing
    return any(_declares(pattern[1:], below, placeholder) for _, below in _below(pattern[0], tree, None))


def _below(head: str, tree: Tree, node: TypeNode | None) -> Iterator[tuple[str, Tree]]:
    """What one element of a resolved pattern leads to, each with the element that names it alone."""
    if head == "*" and isinstance(tree, dict):
        yield from tree.items()
    elif isinstance(tree, list):
        values = item_values(head)
        for index, item in enumerate(tree):
            if head in ("*", f"i:{index}") or (values is not None and _matches(values, item)):
                yield (item_name(item, index, node) if node is not None else head), item
    else:
        yield head, child(tree, head)


def _drop(tree: Tree, path: MaskPath, node: TypeNode) -> Tree:
    head, rest = path[0], path[1:]
    if isinstance(tree, list):
        hit = [head in ("*", item_name(item, index, node)) and bool(rest) for index, item in enumerate(tree)]
        return [_drop(item, rest, node.item) if one else item for one, item in zip(hit, tree, strict=True)]
    hidden = set() if not isinstance(tree, dict) else set(tree) if head in ("*", "**") else {head} & tree.keys()
    if not hidden:
        return tree
    if rest in _ENDS:
        return {key: value for key, value in tree.items() if key not in hidden}
    return {key: _drop(value, rest, node.at(key)) if key in hidden else value for key, value in tree.items()}
