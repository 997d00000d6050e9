"""Owns the look-up of masks by path: a trie that the walk carries along. Must not decide who may write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.canonical.form import Mask
from reconciler.model.path import Element, ItemKey, field_name


@dataclass(slots=True)
class MaskNode:
    """One place in the trie. `mask` hides this place and all below it."""

    children: dict[str, MaskNode] = field(default_factory=dict)
    mask: Mask | None = None

    def at(self, element: Element) -> MaskNode | None:
        """The node below; list items are addressed by their key (`k:{…}`) or `*`; what both say holds together."""
        name = field_name(element) if isinstance(element, ItemKey | int) else element
        return _both(self.children.get(name), self.children.get("*"))


def _both(one: MaskNode | None, other: MaskNode | None) -> MaskNode | None:
    if one is None or other is None:
        return one or other
    names = {*one.children, *other.children}
    children = {name: _both(one.children.get(name), other.children.get(name)) for name in names}
    return MaskNode({name: node for name, node in children.items() if node is not None}, one.mask or other.mask)


def build(masks: Iterable[Mask]) -> MaskNode | None:
    """The trie of some masks, or None for none. A final `**` means the place itself, and what is below with it."""
    root = MaskNode()
    for mask in masks:
        node = root
        for part in mask.path:
            if part != "**":
                node = node.children.setdefault(part, MaskNode())
        node.mask = mask
    return root if root.children else None
