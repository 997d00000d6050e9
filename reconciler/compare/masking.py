"""Owns the look-up of masks by path: a trie that the walk carries along. Must not decide who may write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.canonical.form import Mask
from reconciler.canonical.masks import hides
from reconciler.model.path import Element, ItemKey, Path, field_name
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


def covers(mask: Mask, path: Path) -> bool:
    """True if `path` is the place of the mask or stands below it."""
    parts = mask.path[:-1] if mask.path[-1:] == ("**",) else mask.path
    names = (field_name(one) if isinstance(one, ItemKey | int) else one for one in path)
    return len(path) >= len(parts) and all(part in ("*", name) for part, name in zip(parts, names, strict=False))


def build(masks: Iterable[Mask]) -> MaskNode | None:
    """The trie of some masks, or None for none. A final `**` means the place itself, and what is below with it.

    Masks that depend on who wrote a field are left out: each field below them has a writer of its own (`covers`).
    """
    root = MaskNode()
    for mask in masks:
        if mask.manager:
            continue
        node = root
        for part in mask.path:
            if part != "**":
                node = node.children.setdefault(part, MaskNode())
        node.masks += (mask,)
    return root if root.children else None
