"""Owns the one walk that both verdicts rest on: want against was and now, place by place.

The reconciler walks with `was=UNKNOWN` (all of now is judged), the webhook with the old object (only what changed is
judged). Must not know who writes, what a policy says, or what metadata means.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.canonical.form import Mask
from reconciler.compare.equal import blank, equal, equal_scalar, same
from reconciler.canonical.items import Items, keyed
from reconciler.compare.masking import MaskNode
from reconciler.model.path import Element, ItemKey, Path, field_name
from reconciler.model.tree import ABSENT, Tree
from reconciler.schema.types import TypeNode

Verdict = Literal["changed", "missing", "extra", "order", "masked"]
_NOTHING: Final[Mapping[str, Any]] = {}


class Unknown(enum.Enum):
    """The type of `UNKNOWN`: nobody knows what was before, so everything counts as changed."""

    UNKNOWN = enum.auto()


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where now is not what it must be. `filled`: Git does not declare it, the server fills it in."""

    path: Path
    verdict: Verdict
    want: Tree
    was: Tree
    now: Tree
    filled: bool = False
    mask: Mask | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk stands: path, type, the filled part of want and the masks below here."""

    path: Path
    node: TypeNode
    filled: Mapping[str, Any] | None = None
    masks: MaskNode | None = None
    lenient: bool = False

    def below(self, element: Element, node: TypeNode) -> Place:
        """The place one element down. A filled leaf (empty trie) fills everything below it."""
        filled = self.filled
        if filled:
            filled = filled.get(field_name(element))
        masks = self.masks.at(element) if self.masks is not None else None
        return Place((*self.path, element), node, filled, masks, self.lenient)

    @property
    def is_filled(self) -> bool:
        """True where Git declares nothing at this place or below."""
        return self.filled is not None and not self.filled and bool(self.path)

    def finding(self, verdict: Verdict, want: Tree, was: Tree, now: Tree) -> Finding:
        """A finding at this place."""
        return Finding(self.path, verdict, want, was, now, filled=self.is_filled)


def walk(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    """Yield each place where `now` differs from `want` and, with `was` known, has been changed by this request.

    A removed container is judged by its leaves, an extra one at its topmost place; whole removal of an extra is no
    finding. Order: that of want, then of now.
    """
    if was is not UNKNOWN and same(was, now):
        return
    if place.masks is not None and place.masks.mask is not None:
        yield Finding(place.path, "masked", want, was, now, mask=place.masks.mask)
    elif want is ABSENT:
        yield from _beyond_want(place, was, now)
    elif isinstance(want, dict) and isinstance(now, dict):
        yield from _maps(place, want, was, now)
    elif isinstance(want, dict) and want and blank(now, lenient=place.lenient):
        yield from _gone(place, want, was, now)
    elif isinstance(want, list) and (isinstance(now, list) or blank(now, lenient=place.lenient)):
        yield from _lists(place, want, was, now)
    elif not equal_scalar(want, now, place.node, lenient=place.lenient):
        yield place.finding("missing" if now is ABSENT else "changed", want, was, now)


def _gone(place: Place, want: dict[str, Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    """A container that is gone is one finding, if anything that it held is missed."""
    missed = list(_maps(place, want, was, {}))
    yield from (found for found in missed if found.verdict == "masked")
    if any(found.verdict != "masked" for found in missed):
        yield place.finding("missing", want, was, ABSENT if now is None else now)


def _beyond_want(place: Place, was: Tree, now: Tree) -> Iterator[Finding]:
    if place.masks is not None:
        yield from _masks_inside(place, was, now)
        if not _outside_masks(place.masks, now):
            return
    if not blank(now, lenient=place.lenient):
        yield place.finding("extra", ABSENT, was, now)


def _masks_inside(place: Place, was: Tree, now: Tree) -> Iterator[Finding]:
    keys = [*(was if isinstance(was, dict) else ()), *(now if isinstance(now, dict) else ())]
    for key in dict.fromkeys(keys):
        below = place.below(key, place.node.at(key))
        if below.masks is not None:
            before = _child(was, key)
            after = now.get(key, ABSENT) if isinstance(now, dict) else ABSENT
            yield from (found for found in walk(below, ABSENT, before, after) if found.verdict == "masked")


def _outside_masks(masks: MaskNode, now: Tree) -> bool:
    """True where `now` holds something that no mask hides."""
    if masks.mask is not None:
        return False
    if not isinstance(now, dict) or not now:
        return now is not ABSENT
    for key, value in now.items():
        below = masks.at(key)
        if below is None or _outside_masks(below, value):
            return True
    return False


def _child(tree: Tree, key: str) -> Tree:
    if tree is UNKNOWN:
        return UNKNOWN
    return tree.get(key, ABSENT) if isinstance(tree, dict) else ABSENT


def _maps(place: Place, want: dict[str, Tree], was: Tree, now: dict[str, Tree]) -> Iterator[Finding]:
    gone = was if isinstance(was, dict) else {}
    for key in dict.fromkeys([*want, *now, *gone]):
        below = place.below(key, place.node.at(key))
        yield from walk(below, want.get(key, ABSENT), _child(was, key), now.get(key, ABSENT))


def _lists(place: Place, want: list[Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    after = now if isinstance(now, list) else []
    before = was if isinstance(was, list) else []
    node = place.node
    if node.list_type == "map" and node.keys:
        sides = [keyed(side, node) for side in (want, before, after)]
        if all(side is not None for side in sides):
            yield from _keyed_lists(place, [side or {} for side in sides], was)
            return
    if node.list_type == "set":
        yield from _sets(place, want, was, after)
    elif not equal(want, after, node, lenient=place.lenient):
        yield from _ordered_lists(place, want, was, now)


def _keyed_lists(place: Place, sides: list[Items], was: Tree) -> Iterator[Finding]:
    want, before, after = sides
    for key in dict.fromkeys([*want, *after, *before]):
        below = place.below(key, place.node.item)
        old = UNKNOWN if was is UNKNOWN else before.get(key, ABSENT)
        yield from walk(below, want.get(key, ABSENT), old, after.get(key, ABSENT))
    if place.node.ordered:
        common = [key for key in after if key in want]
        wanted = [key for key in want if key in after]
        earlier = [key for key in before if key in want and key in after]
        if common != wanted and (was is UNKNOWN or earlier != common):
            yield place.finding("order", _names(wanted), _names(earlier), _names(common))


def _names(keys: list[ItemKey]) -> list[Any]:
    return [key.pairs[0][1] for key in keys]


def _sets(place: Place, want: list[Tree], was: Tree, now: list[Tree]) -> Iterator[Finding]:
    before = was if isinstance(was, list) else []
    known = was is not UNKNOWN
    missing, extra = _without(want, now, place), _without(now, want, place)
    for index, value in missing:
        if not known or any(same(value, old) for old in before):
            yield place.below(index, place.node.item).finding("missing", value, was, ABSENT)
    for index, value in extra:
        if not known or not any(same(value, old) for old in before):
            yield place.below(index, place.node.item).finding("extra", ABSENT, ABSENT, value)


def _without(left: list[Tree], right: list[Tree], place: Place) -> list[tuple[int, Tree]]:
    """Items of `left` (with their index) that `right` lacks, each counted once."""
    rest = list(right)
    lacking = []
    for index, value in enumerate(left):
        for position, other in enumerate(rest):
            if equal(value, other, place.node.item, lenient=place.lenient):
                del rest[position]
                break
        else:
            lacking.append((index, value))
    return lacking


def _ordered_lists(place: Place, want: list[Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    """An atomic list is one value: judged whole, shown by item where the items still line up."""
    if not isinstance(now, list):
        yield place.finding("missing", want, was, ABSENT)
        return
    shared = min(len(want), len(now))
    lined_up = len(want) == len(now) or equal(want[:shared], now[:shared], place.node, lenient=place.lenient)
    if not lined_up:
        yield place.finding("changed", want, was, now)
        return
    for index in range(max(len(want), len(now))):
        wanted = want[index] if index < len(want) else ABSENT
        present = now[index] if index < len(now) else ABSENT
        yield from walk(place.below(index, place.node.item), wanted, UNKNOWN, present)
