"""Owns other spellings of an object that mean the same, on Git's side and on the live side. Must not compare."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from reconciler.canonical.items import keyed
from reconciler.model.objects import RenderedObject
from reconciler.model.quantity import nanoseconds, quantity
from reconciler.model.tree import Tree
from reconciler.schema.types import TypeNode

_IDENTITY = ("apiVersion", "kind", "metadata", "status")
Rewrite = Callable[[Tree, TypeNode, str], Tree]
# Where an empty value says nothing, as people write them into manifests.
_EMPTIES: dict[str, Tree] = {
    "annotations": {},
    "labels": {},
    "nodeSelector": {},
    "tolerations": [],
    "imagePullSecrets": [],
    "hostAliases": [],
    "initContainers": [],
    "env": [],
    "envFrom": [],
    "volumeMounts": [],
    "volumes": [],
    "affinity": {},
    "loadBalancerSourceRanges": [],
    "externalIPs": [],
    "resourceNames": [],
}
# Where an empty value says something, so that leaving it out is no twin.
_SELECTORS = ("podSelector", "namespaceSelector", "objectSelector", "serviceSelector", "selector", "labelSelector")
_SAYS_SOMETHING = frozenset(
    (*_SELECTORS, "emptyDir", "selfSigned", "ingress", "egress", "from", "to", "status", "default", "items")
)


@dataclass(frozen=True, slots=True)
class Twin:
    """One way to spell an object anew, and the object."""

    what: str
    tree: Tree


def git_twins(rendered: RenderedObject, types: TypeNode) -> Iterator[Twin]:
    """What Git might say instead."""
    tree = rendered.tree
    yield from _twins(tree, types, (*_EVERYWHERE, *_IN_GIT))
    if tree["kind"] == "Secret":
        yield from _secrets(tree)


def live_twins(live: Tree, types: TypeNode) -> Iterator[Twin]:
    """What a cluster might answer instead."""
    yield from _twins(live, types, _EVERYWHERE)


def _twins(tree: Tree, types: TypeNode, rewrites: tuple[tuple[str, Rewrite], ...]) -> Iterator[Twin]:
    for what, rewrite in rewrites:
        content = {key: value for key, value in tree.items() if key not in _IDENTITY}
        other = {**tree, **{key: _mapped(value, types.at(key), key, rewrite) for key, value in content.items()}}
        if json.dumps(other) != json.dumps(tree):
            yield Twin(what, other)


def _mapped(value: Tree, node: TypeNode, name: str, rewrite: Rewrite) -> Tree:
    """`value` with `rewrite(value, type, name of the field)` done everywhere, from the leaves up."""
    if isinstance(value, dict):
        value = {key: _mapped(below, node.at(key), key, rewrite) for key, below in value.items()}
    elif isinstance(value, list):
        value = [_mapped(item, node.item, "", rewrite) for item in value]
    return rewrite(value, node, name)


def _reordered(value: Tree, node: TypeNode, _: str) -> Tree:
    if not isinstance(value, list) or node.ordered:
        return value
    free = node.list_type == "set" or (node.list_type == "map" and keyed(value, node) is not None)
    return value[::-1] if free else value


def _other_quantity(value: Tree, node: TypeNode, _: str) -> Tree:
    amount = quantity(value) if node.scalar == "quantity" and not isinstance(value, bool) else None
    if amount is None:
        return value
    text = format(amount.normalize(), "f")
    spellings = (format(amount * 1000, "f").split(".")[0] + "m" if amount < Decimal(10**6) else text, text)
    return next((other for other in spellings if other != value and quantity(other) == amount), value)


def _number_for_quantity(value: Tree, node: TypeNode, _: str) -> Tree:
    amount = quantity(value) if node.scalar == "quantity" and isinstance(value, str) else None
    return int(amount) if amount is not None and amount == int(amount) and abs(amount) < 2**53 else value


def _other_duration(value: Tree, node: TypeNode, _: str) -> Tree:
    length = nanoseconds(value) if node.scalar == "duration" and isinstance(value, str) else None
    if length is None or length % 10**9:
        return value
    seconds = int(length) // 10**9
    spellings = (f"{seconds}s", f"{seconds // 60}m{seconds % 60}s")
    return next((other for other in spellings if other != value), value)


def _other_int_or_string(value: Tree, node: TypeNode, _: str) -> Tree:
    if node.scalar != "int-or-string" or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _nulls(value: Tree, node: TypeNode, _: str) -> Tree:
    return {**dict.fromkeys(node.fields), **value} if isinstance(value, dict) and value else value


def _empties(value: Tree, node: TypeNode, _: str) -> Tree:
    if not isinstance(value, dict):
        return value
    return {**{name: empty for name, empty in _EMPTIES.items() if name in node.fields}, **value}


def _without_empties(value: Tree, _: TypeNode, name: str) -> Tree:
    if not isinstance(value, dict) or name in _SAYS_SOMETHING:
        return value
    return {key: below for key, below in value.items() if below not in ({}, []) or key in _SAYS_SOMETHING}


def _wrapped_base64(value: Tree, node: TypeNode, _: str) -> Tree:
    if node.scalar != "bytes" or not isinstance(value, str) or len(value) < 4:
        return value
    return value[:4] + "\n" + value[4:] + "\n"


_EVERYWHERE: tuple[tuple[str, Rewrite], ...] = (
    ("lists without order reversed", _reordered),
    ("quantities in another unit", _other_quantity),
    ("quantities as numbers", _number_for_quantity),
    ("durations in another unit", _other_duration),
    ("integers as strings where both may be", _other_int_or_string),
    ("null where nothing is", _nulls),
    ("empty maps and lists where nothing is", _empties),
)
_IN_GIT: tuple[tuple[str, Rewrite], ...] = (
    ("empty maps and lists left out", _without_empties),
    ("base64 with line breaks", _wrapped_base64),
)


def _secrets(tree: Tree) -> Iterator[Twin]:
    plain, coded = tree.get("stringData") or {}, tree.get("data") or {}
    bare = {key: value for key, value in tree.items() if key not in ("data", "stringData")}
    if plain:
        merged = {**coded, **{key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}}
        yield Twin("stringData as data", {**bare, "data": merged})
    try:
        texts = {key: base64.b64decode(value or "").decode() for key, value in coded.items()}
    except UnicodeDecodeError:
        return
    if texts:
        yield Twin("data as stringData", {**bare, "stringData": {**texts, **plain}})
