"""Owns where a walk stands and what it finds there: path, type, masks, how far want is known. Must not walk."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from reconciler.canonical.form import Mask
from reconciler.compare.equal import Blank, Reading
from reconciler.compare.masking import MaskNode
from reconciler.model.path import Element, Path, field_name, pointer, readable, split_pattern
from reconciler.model.tree import ABSENT, CONTAINERS, Tree
from reconciler.schema.types import TypeNode

Verdict = Literal["changed", "missing", "extra", "order", "masked"]


class Unknown(enum.Enum):
    """The type of `UNKNOWN`: nobody knows what was before, so everything counts as changed."""

    UNKNOWN = enum.auto()


UNKNOWN: Final = Unknown.UNKNOWN
CONFIRMED: Final = Reading(offline=False)


class Inside(NamedTuple):
    """A place in a document inside a string.

    `spelled` is the document as its reader takes it, which `path` leads into, `written` the same as it stands in the
    string; both are of the live object, or of Git where the live one has nothing there. `text` is the string that Git
    declares. `closed`: what Git does not declare here is drift even where a policy leaves such content to others.
    """

    path: Path
    spelled: Tree
    written: Tree
    text: str
    closed: bool = False

    @property
    def pointer(self) -> str:
        """RFC 6901 pointer into the document as it is written; a scalar that stands for a list of one is the place."""
        return written_pointer(self.path, self.spelled, self.written)[0]


class Finding(NamedTuple):
    """One place where now is not what it must be.

    `filled`: Git does not declare it, the server fills it in. `fresh`: the container around it is wanted and was not
    there before. `whole`: it lies inside a list that is one value, so it is held even where want has nothing. `doubt`:
    a server may fill in something here that nobody knows of. `inside`: the values are those of a place in the document
    that the string at `path` holds. `note`: why such a string was compared as text.
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
    inside: Inside | None = None
    note: str = ""


class Place(NamedTuple):
    """Where the walk stands: path, type, the filled part of want, the masks below here, how far want is known.

    `fresh`, `whole` and `doubt` are as in `Finding`. One is made for each step of a walk, so it must cost little.
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
        path, _, filled, masks, reading, fresh, whole, _ = self
        if filled:
            filled = filled.get(field_name(element))
        if masks is not None:
            masks = masks.at(element)
        doubt = reading.offline and self._may_be_filled(element)
        if reading.learns:
            reading = reading.at(node)
        return Place((*path, element), node, filled, masks, reading, fresh, whole, doubt)

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

    def inside(self, was: Tree) -> Place:
        """This place as its content is judged: fresh where no container was here before."""
        made = was is not UNKNOWN and not isinstance(was, CONTAINERS)
        return self._replace(fresh=True) if made and not self.fresh else self

    @property
    def is_filled(self) -> bool:
        """True where Git declares nothing at this place or below."""
        return self.filled is not None and not self.filled and bool(self.path)

    def mask(self, want: Tree, now: Tree) -> Mask | None:
        """The rule that hides these values here, and all below."""
        masks = self.masks
        return masks.hiding(want, now) if masks is not None and masks.masks else None

    def finding(self, verdict: Verdict, want: Tree, was: Tree, now: Tree, mask: Mask | None = None) -> Finding:
        """A finding at this place."""
        return Finding(self.path, verdict, want, was, now, self.is_filled, mask, self.fresh, self.whole, self.doubt)


def named(path: Path, inside: Inside | None) -> str:
    """A place as people say it: `spec.replicas`, or `data[config.yaml].mig-configs.all-1g[0].devices`."""
    if inside is None:
        return readable(path)
    below = readable(inside.path)
    return f"{readable(path[:-1])}[{path[-1]}]{'' if below.startswith('[') else '.'}{below}"


def written_pointer(path: Path, spelled: Tree, written: Tree) -> tuple[str, bool]:
    """The pointer of `path` in a document, as far as it leads where that is written; and whether anything is there."""
    whole = pointer(path, spelled)
    kept = ""
    for token, part in zip(split_pattern(whole), whole.split("/")[1:], strict=True):
        if isinstance(written, dict):
            written = written.get(token, ABSENT)
        elif isinstance(written, list):
            written = written[int(token)] if token.isdecimal() and int(token) < len(written) else ABSENT
        elif written is not ABSENT:
            return kept, True
        kept += f"/{part}"
    return kept, written is not ABSENT
