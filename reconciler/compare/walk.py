"""Owns the one walk that both verdicts rest on: want against was and now, place by place.

The reconciler walks with `was=UNKNOWN` (all of now is judged), the webhook with the old object (only what changed is
judged). Must not know who writes, what a policy says, or what metadata means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.canonical.form import Mask
from reconciler.canonical.items import effective, item_key
from reconciler.compare.aligned import apart_at, bare, by_key, full_key, keys_of
from reconciler.compare.equal import Blank, apart, blank, equal, equal_scalar, fits, same, touched
from reconciler.compare.masking import MaskNode
from reconciler.compare.place import UNKNOWN, Finding, Place, Verdict
from reconciler.limits import COMPARED_PAIRS
from reconciler.model.tree import ABSENT, CONTAINERS, Tree

# Items of want, was and now by their bare keys; None for a side where keys repeat or are missing.
_Side = Mapping[Any, Tree] | None
_Sides = tuple[_Side, _Side, _Side]


def walk(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    """Yield each place where `now` differs from `want` and, with `was` known, has been changed by this request.

    For what is not `settled` above. A removed container is judged by its leaves, an extra one at its topmost place;
    whole removal of an extra is no finding. Order: that of want, then of now.
    """
    known, reading = was is not UNKNOWN, place.reading
    if reading.lenient and known and same(was, want):
        # The server has kept just this, empty values and all: nothing is left to be lenient about.
        reading = reading.strictly()
        place = place._replace(reading=reading)
    # What a rule hides may not be taken away either: a rule about values is asked of the old one too.
    if (
        place.masks is not None
        and (mask := place.mask(want, now) or (place.mask(want, was) if known else None)) is not None
    ):
        if not (known and place.whole and same(was, now)):
            yield place.finding("masked", want, was, now, mask)
    elif want is ABSENT:
        yield from _beyond_want(place, was, now)
    elif isinstance(want, dict) and isinstance(now, dict):
        yield from _maps(place.inside(was), want, was, now)
    elif isinstance(want, dict) and want and reading.absent(now, place.path):
        yield from _gone(place, want, was, now)
    elif want is None and isinstance(now, list) and place.masks is not None:
        yield from _lists(place.inside(was), [], was, now)  # nothing is wanted; rules may hide some of what is there
    elif isinstance(want, list) and (isinstance(now, list) or reading.absent(now, place.path)):
        yield from _lists(place.inside(was), want, was, now)
    elif not equal_scalar(want, now, place.node, reading, place.path, _strictly(place, want)):
        yield place.finding("missing" if now is ABSENT else "changed", want, was, now)


def _strictly(place: Place, want: Tree) -> Blank | None:
    """An empty map inside a list that is one value is a value."""
    return Blank.NULL if place.whole and want == {} else None


def _gone(place: Place, want: dict[str, Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    """A container that is gone is one finding, if anything that it held is missed."""
    missed = list(_maps(place, want, was, {}))
    yield from (found for found in missed if found.verdict == "masked")
    if any(found.verdict != "masked" for found in missed):
        yield place.finding("missing", want, was, ABSENT if now is None else now)


def _beyond_want(place: Place, was: Tree, now: Tree) -> Iterator[Finding]:
    """Content outside want. Whoever is known to have added an empty value has added it all the same."""
    reading, path = place.reading, place.path
    gone = reading.empties(now, path) if was is UNKNOWN else blank(now, Blank.NULL) or reading.zero(now, path)
    if place.masks is not None:
        if gone and was is not UNKNOWN and _outside_masks(place.masks, was):
            return  # An extra goes whole, with what rules hide in it.
        yield from _masks_inside(place, was, now)
        if not _outside_masks(place.masks, now):
            return
    if gone or (place.whole and place.reading.lenient and was is not UNKNOWN and same(was, now)):
        return
    yield place.finding("changed" if place.whole and not place.reading.lenient else "extra", ABSENT, was, now)


def _masks_inside(place: Place, was: Tree, now: Tree) -> Iterator[Finding]:
    if isinstance(now, list):
        items = ((place.below(index, place.node.item), _item(was, index), item) for index, item in enumerate(now))
    else:
        keys = [*(was if isinstance(was, dict) else ()), *(now if isinstance(now, dict) else ())]
        items = (
            (place.below(key, place.node.at(key)), _child(was, key), _child(now, key)) for key in dict.fromkeys(keys)
        )
    for below, before, after in items:
        if below.masks is not None and not _untouched(below, before, after):
            yield from (one for one in walk(below, ABSENT, before, after) if one.verdict == "masked")


def _outside_masks(masks: MaskNode, tree: Tree) -> bool:
    """True where `tree` holds something that no mask hides."""
    if masks.hiding(ABSENT, tree) is not None:
        return False
    if not isinstance(tree, CONTAINERS) or not tree:
        return tree is not ABSENT and tree is not None
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if value is None:
            continue
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
    unheard: Tree = UNKNOWN if was is UNKNOWN else ABSENT
    every, unhidden = {**want, **now, **gone}, was is UNKNOWN or place.masks is None
    for key in every if was is UNKNOWN or place.whole else touched(every, gone, now):
        wanted, before, after = want.get(key, ABSENT), gone.get(key, unheard), now.get(key, ABSENT)
        if not (unhidden and wanted is not ABSENT and same(wanted, after)):
            yield from walk(place.below(key, place.node.at(key)), wanted, before, after)


def settled(place: Place, want: Tree, was: Tree, now: Tree) -> bool:
    """True where a child needs no walk: not touched, or just as wanted and no rule here that hides what has gone."""
    if _untouched(place, was, now):
        return True
    return want is not ABSENT and (was is UNKNOWN or place.masks is None) and same(want, now)


def _untouched(place: Place, was: Tree, now: Tree) -> bool:
    return not place.whole and was is not UNKNOWN and same(was, now)


def _lists(place: Place, want: list[Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    after = now if isinstance(now, list) else []
    before = was if isinstance(was, list) else []
    node = place.node
    if node.list_type == "map" and node.keys:
        sides = _differing(place, want, was, now) or (by_key(want, node), by_key(before, node), by_key(after, node))
        if None not in sides:
            yield from _keyed_lists(place, sides, was)
            return
        if node.ordered and place.reading.compares and sides[0] is None and sides[2] is not None:
            yield from _shadowed(place, want, after)
            return
    if now is ABSENT and not want and place.blank is Blank.NULL:
        yield place.finding("missing", want, was, now)
    elif node.list_type == "set" or (node.list_type == "unordered" and place.reading.compares):
        yield from _sets(place, want, was, after)
    elif not equal(want, after, node, place.reading, place.path):
        yield from _ordered_lists(place, want, was, now)


def _differing(place: Place, want: list[Tree], was: Tree, now: Tree) -> _Sides | None:
    """Want, was and now without the items that need no walk, where keys and order tell which; else None."""
    judged = want if was is UNKNOWN else was
    if was is not UNKNOWN and place.whole:
        return None
    found = apart_at(judged, now, place.node)
    if found is None:
        return None
    keys, places = found
    after = by_key([now[at] for at in places], place.node) or {}
    if was is UNKNOWN:
        return {keys[at]: want[at] for at in places}, {}, after
    wanted = keys_of(want, place.node)
    if wanted is None:
        return None
    left = {key: item for key, item in zip(wanted, want, strict=True) if key in after}
    return left, {keys[at]: was[at] for at in places}, after


def _keyed_lists(place: Place, sides: _Sides, was: Tree) -> Iterator[Finding]:
    want, before, after = (side or {} for side in sides)
    every, unhidden = {**want, **after, **before}, was is UNKNOWN or place.masks is None
    for key in every if was is UNKNOWN or place.whole else touched(every, before, after):
        old = UNKNOWN if was is UNKNOWN else before.get(key, ABSENT)
        wanted, present = want.get(key, ABSENT), after.get(key, ABSENT)
        if not (unhidden and wanted is not ABSENT and same(wanted, present)):
            yield from walk(place.below(full_key(key, place.node), place.node.item), wanted, old, present)
    if place.node.ordered:
        common = [key for key in after if key in want]
        wanted = [key for key in want if key in after]
        earlier = [key for key in before if key in want and key in after]
        if common != wanted and (was is UNKNOWN or place.whole or earlier != common):
            yield place.finding("order", _names(place, wanted), _names(place, earlier), _names(place, common))


def _shadowed(place: Place, want: list[Tree], now: list[Tree]) -> Iterator[Finding]:
    """Of several items of one name the last one counts, so the others may be gone."""
    last = effective(want, place.node)
    if last is None:
        yield place.finding("changed", want, UNKNOWN, now)
        return
    for key, item in zip((item_key(item, place.node) for item in want), want, strict=True):
        if key is not None and item is not last[key]:
            yield place.below(key, place.node.item).finding("masked", item, UNKNOWN, ABSENT, _SHADOWED)
    yield from _keyed_lists(place, (bare(last), {}, by_key(now, place.node)), UNKNOWN)


_SHADOWED: Final = Mask((), "shadowed-duplicates", "items that a later one of the same name shadows are gone")


def _names(place: Place, keys: list[Any]) -> list[Any]:
    return keys if len(place.node.keys) == 1 else [key[0] for key in keys]


def _sets(place: Place, want: list[Tree], was: Tree, now: list[Tree]) -> Iterator[Finding]:
    before = was if isinstance(was, list) else []
    all_count = was is UNKNOWN or place.whole
    item = place.node.item
    missing, extra = _unmatched(want, now, place)
    if place.reading.compares and len(missing) == len(extra):
        # One item instead of another: what it differs in says more than both of them.
        for (_, wanted), (index, present) in zip(missing, extra, strict=True):
            yield from walk(place._replace(whole=True).below(index, item), wanted, UNKNOWN, present)
        return
    for index, value in missing:
        if all_count or any(fits(value, old, item, place.reading, (*place.path, index)) for old in before):
            yield place.below(index, item).finding("missing", value, was, ABSENT)
    for index, value in extra:
        if all_count or not any(same(value, old) for old in before):
            below = place.below(index, item)
            mask = below.mask(ABSENT, value)
            verdict: Verdict = "masked" if mask is not None else "changed" if place.whole else "extra"
            yield below.finding(verdict, ABSENT, ABSENT, value, mask)


_Indexed = list[tuple[int, Tree]]


def _unmatched(want: list[Tree], now: list[Tree], place: Place) -> tuple[_Indexed, _Indexed]:
    """Items of `want` that `now` lacks and of `now` that `want` lacks, with their index, each counted once."""
    wanted, rest = apart(want, now)
    if len(wanted) * len(rest) > COMPARED_PAIRS:
        return wanted, rest
    missing = []
    for index, value in wanted:
        for position, (_, other) in enumerate(rest):
            if fits(value, other, place.node.item, place.reading, (*place.path, index)):
                del rest[position]
                break
        else:
            missing.append((index, value))
    return missing, rest


def _ordered_lists(place: Place, want: list[Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    """An atomic list is one value: judged whole, shown by item where the items still line up."""
    if not isinstance(now, list):
        yield place.finding("missing", want, was, ABSENT)
        return
    shared = min(len(want), len(now))
    lined_up = len(want) == len(now) or fits(want[:shared], now[:shared], place.node, place.reading, place.path)
    if not lined_up:
        yield place.finding("changed", want, was, now)
        return
    whole = place._replace(whole=True)
    for index in range(max(len(want), len(now))):
        old = _item(was, index)
        if settled(whole, _item(want, index), old, _item(now, index)):
            continue
        below = whole.below(index, place.node.item)
        if index >= len(want) and below.mask(ABSENT, now[index]) is None:
            yield below.finding("changed", ABSENT, old, now[index])
        else:
            yield from walk(below, _item(want, index), old, _item(now, index))


def _item(items: Tree, index: int) -> Tree:
    if items is UNKNOWN:
        return UNKNOWN
    return items[index] if isinstance(items, list) and index < len(items) else ABSENT
