"""Owns the look-up of masks by path: a trie that the walk carries along. Must not decide who may write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from reconciler.canonical.form import Mask
from reconciler.canonical.masks import hides
from reconciler.model.kept import kept
from reconciler.model.path import Element, Path, field_name
from reconciler.model.tree import Tree

# Objects of one kind mostly have the same masks.
_TRIES_KEPT: Final = 256


@dataclass(slots=True)
class MaskNode:
    """One place in the trie. Each of `masks` hides this place and all below it, where its conditions hold."""

    children: dict[str, MaskNode] = field(default_factory=dict)
    masks: tuple[Mask, ...] = ()

    def hiding(self, want: Tree, now: Tree) -> Mask | None:
        """The first mask that hides these values."""
        for mask in self.masks:
            if hides(mask, want, now):
                return mask
        return None

    def at(self, element: Element) -> MaskNode | None:
        """The node below; list items are addressed by their key (`k:{…}`) or `*`; what both say holds together."""
        children = self.children
        if not children:
            return None
        one, every = children.get(element if isinstance(element, str) else field_name(element)), children.get("*")
        return _both(one, every) if one is not None and every is not None else one or every


def _both(one: MaskNode, other: MaskNode) -> MaskNode:
    children = {**other.children, **one.children}
    for name in one.children.keys() & other.children.keys():
        children[name] = _both(one.children[name], other.children[name])
    return MaskNode(children, one.masks + other.masks)


def covers(mask: Mask, path: Path) -> bool:
    """True if `path` is the place of the mask or stands below it."""
    parts = mask.path[:-1] if mask.path[-1:] == ("**",) else mask.path
    names = (one if isinstance(one, str) else field_name(one) for one in path)
    return len(path) >= len(parts) and all(part in ("*", name) for part, name in zip(parts, names, strict=False))


@kept(_TRIES_KEPT)
def build(masks: tuple[Mask, ...]) -> MaskNode | None:
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
