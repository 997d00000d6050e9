"""Owns the look-up of masks by path: a trie that the walk carries along. Must not decide who may write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.canonical.form import Mask
from reconciler.canonical.masks import hides
from reconciler.model.path import Element, ItemKey, field_name
from reconciler.model.tree import Tree


@dataclass(slots=True)
class MaskNode:
    """One place in the trie. Each of `masks` hides this place and all below it, where its conditions hold."""

    children: dict[str, MaskNode] = field(default_factory=dict)
    masks: tuple[Mask, ...] = ()

    def hiding(self, want: Tree, now: Tree) -> Mask | None:
        """The first mask that hides these values."""
        return next((mask for mask in self.masks if hides(mask, want, now)), None) if self.masks else None

    def at(self, element: Element) -> MaskNode | None:
        """The node below; list items are addressed by their key (`k:{…}`) or `*`; what both say holds together."""
        name = field_name(element) if isinstance(element, ItemKey | int) else element
        return _both(self.children.get(name), self.children.get("*"))


def _both(one: MaskNode | None, other: MaskNode | None) -> MaskNode | None:
    if one is None or other is None:
        return one or other
    names = {*one.children, *other.children}
    children = {name: _both(one.children.get(name), other.children.get(name)) for name in names}
    return MaskNode({name: node for name, node in children.items() if node is not None}, one.masks + other.masks)


def build(masks: Iterable[Mask], *, managers: bool = False) -> MaskNode | None:
    """The trie of some masks, or None for none. A final `**` means the place itself, and what is below with it.

    `managers`: also those that depend on who wrote a field, which only the reader of managedFields can judge.
    """
    root = MaskNode()
    for mask in masks:
        if mask.manager and not managers:
            continue
        node = root
        for part in mask.path:
            if part != "**":
                node = node.children.setdefault(part, MaskNode())
        node.masks += (mask,)
    return root if root.children else None
