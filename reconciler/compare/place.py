"""Owns where a walk stands and what it finds there: path, type, masks, how far want is known. Must not walk."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from reconciler.canonical.form import Mask
from reconciler.compare.equal import Blank, Reading
from reconciler.compare.masking import MaskNode
from reconciler.model.path import Element, Path, field_name
from reconciler.model.tree import Tree
from reconciler.schema.types import TypeNode

Verdict = Literal["changed", "missing", "extra", "order", "masked"]


class Unknown(enum.Enum):
    """The type of `UNKNOWN`: nobody knows what was before, so everything counts as changed."""

    UNKNOWN = enum.auto()


UNKNOWN: Final = Unknown.UNKNOWN
CONFIRMED: Final = Reading(offline=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where now is not what it must be.

    `filled`: Git does not declare it, the server fills it in. `fresh`: the container around it is wanted and was not
    there before. `whole`: it lies inside a list that is one value, so it is held even where want has nothing. `doubt`:
    a server may fill in something here that nobody knows of.
    """

    path: Path
    verdict: Verdict
    want: Tree
    was: Tree
    now: Tree
    filled: bool = False
    mask: Mask | None = None
    fresh: bool = False
    whole: bool = False
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk stands: path, type, the filled part of want, the masks below here, how far want is known.

    `fresh`, `whole` and `doubt` are as in `Finding`.
    """

    path: Path
    node: TypeNode
    filled: Mapping[str, Any] | None = None
    masks: MaskNode | None = None
    reading: Reading = CONFIRMED
    fresh: bool = False
    whole: bool = False
    doubt: bool = False

    def below(self, element: Element, node: TypeNode) -> Place:
        """The place one element down. A filled leaf (empty trie) fills everything below it."""
        filled = self.filled
        if filled:
            filled = filled.get(field_name(element))
        masks = self.masks.at(element) if self.masks is not None else None
        reading = self.reading
        doubt = reading.offline and self._may_be_filled(element)
        return Place((*self.path, element), node, filled, masks, reading.at(node), self.fresh, self.whole, doubt)

    def _may_be_filled(self, element: Element) -> bool:
        """Whether a server may put in a value that nobody knows of: never items, keys of users with their map."""
        if not isinstance(element, str):
            return False
        if self.node.each is not None:
            return self.doubt and self.reading.sure
        known = self.node.known
        return not self.reading.sure or (known is not None and known.computes(element, self.reading.kind))

    @property
    def blank(self) -> Blank:
        """What counts as absent here."""
        return self.reading.blank(self.path)

    @property
    def lenient(self) -> bool:
        """True where defaults and stored zero values of want are missing."""
        return self.reading.lenient

    def inside(self, was: Tree) -> Place:
        """This place as its content is judged: fresh where no container was here before."""
        made = was is not UNKNOWN and not isinstance(was, dict | list)
        return replace(self, fresh=True) if made and not self.fresh else self

    @property
    def is_filled(self) -> bool:
        """True where Git declares nothing at this place or below."""
        return self.filled is not None and not self.filled and bool(self.path)

    def mask(self, want: Tree, now: Tree) -> Mask | None:
        """The rule that hides these values here, and all below."""
        return self.masks.hiding(want, now) if self.masks is not None else None

    def finding(self, verdict: Verdict, want: Tree, was: Tree, now: Tree, mask: Mask | None = None) -> Finding:
        """A finding at this place."""
        return Finding(self.path, verdict, want, was, now, self.is_filled, mask, self.fresh, self.whole, self.doubt)
