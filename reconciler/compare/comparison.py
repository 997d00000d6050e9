"""Owns the comparison of one canonical object with its live twin: verdict and shown difference in one.

Metadata is compared here as the design says: declared labels, annotations, finalizers and owners are held, what others
add there is free. Must not know time, people or sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from reconciler.canonical.engine import GENERATED, VOLATILE
from reconciler.canonical.form import CanonicalObject, Mask
from reconciler.canonical.masks import hides
from reconciler.compare.blame import blame
from reconciler.compare.equal import Blank, Reading, blank
from reconciler.compare.masking import build, covers
from reconciler.compare.place import CONFIRMED, UNKNOWN, Finding, Place
from reconciler.compare.stored import want_of
from reconciler.compare.walk import settled, walk
from reconciler.limits import COMPARED_CHANGES
from reconciler.model.path import Path, pointer, readable
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import PLAIN

Op = Literal["add", "remove", "replace"]
Klass = Literal["changed", "missing", "extra", "default-overridden", "order"]
HiddenClass = Literal["generated", "allocated", "hidden-by-rule"]
_HIDDEN_CLASS: Final[dict[str, HiddenClass]] = {GENERATED: "generated", VOLATILE: "generated"}
# How the tools of people name themselves in managedFields.
_PEOPLE: Final = ("kubectl", "Mozilla", "curl", "k9s", "Lens", "octant", "headlamp", "rancher-dashboard")
_CONTENT_META = ("labels", "annotations", "finalizers", "ownerReferences")


@dataclass(frozen=True, slots=True)
class Change:
    """One drifted path. `op` is what was done to live seen from desired; ABSENT stands for no value."""

    path: str
    op: Op
    desired: Tree
    live: Tree
    klass: Klass
    place: Path
    field: str


# Says that more differs than is listed: never silently the same, whatever policies leave out of the list.
WHOLE: Final = Change("", "replace", ABSENT, ABSENT, "changed", (), "the object as a whole")
_NOT_LISTED: Final = f"more than {COMPARED_CHANGES} places differ: the others are not listed, nor in the patch"


@dataclass(frozen=True, slots=True)
class Hidden:
    """One path where live differs and a rule hides it. `rule` is the rule's id."""

    field: str
    klass: HiddenClass
    rule: str
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.field}: {self.klass}, hidden by rule {self.rule} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All drift of one object; no changes = same. `hidden`: what rules hid; `remarks`: what loader and server said.

    `undecided`: undeclared fields that may be defaults, which only the server engine could tell; no drift as such.
    """

    changes: tuple[Change, ...]
    hidden: tuple[Hidden, ...] = ()
    remarks: tuple[str, ...] = ()
    undecided: tuple[Change, ...] = ()

    @property
    def verdict(self) -> Literal["same", "drift"]:
        """Never anything but what `changes` says."""
        return "drift" if self.changes else "same"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying beside the changes."""
        return (*self.remarks, *dict.fromkeys(str(one) for one in self.hidden))


def compare(
    canonical: CanonicalObject, live: Tree, managed_fields: Tree = None, *, undeclared: bool = True
) -> Comparison:
    """Compare with a live object that `live_form` has normalized; order of changes is deterministic.

    `managed_fields` are those of the live object: some rules ask who wrote a field, none says that it is drift.
    `undeclared`: what Git does not declare counts; False where a policy leaves it to others.
    """
    drifted, hidden, undecided = list[Finding](), list[Hidden](), list[Finding]()
    for finding in findings(canonical, UNKNOWN, live, learns=True):
        if (ruled := _ruled(finding, canonical, managed_fields)) is not None:
            hidden += ruled
        elif finding.want is ABSENT and not undeclared:
            continue
        elif not _is_of_another_version(finding, canonical):
            # A rule that hides some values of a place says that no other may be there.
            ruled_out = any(mask.value and covers(mask, finding.path) for mask in canonical.masks)
            doubtful = finding.doubt and finding.want is ABSENT and not ruled_out
            (undecided if doubtful else drifted).append(finding)
            if len(drifted) > COMPARED_CHANGES:
                break
    changes, doubts = (
        tuple(_change(one, canonical.want, live) for one in some[:COMPARED_CHANGES]) for some in (drifted, undecided)
    )
    if len(drifted) > COMPARED_CHANGES:
        return Comparison((WHOLE, *changes), tuple(hidden), (*canonical.notes, _NOT_LISTED), doubts)
    return Comparison(changes, tuple(hidden), canonical.notes, doubts)


def _ruled(finding: Finding, canonical: CanonicalObject, managed_fields: Tree) -> list[Hidden] | None:
    """What a rule hides of it; None where none does."""
    name = readable(finding.path)
    within = next((one for one in canonical.ranges if one.path == finding.path and one.admits(finding.now)), None)
    if within is not None:
        return [Hidden(name, "hidden-by-rule", within.rule, f"within {within.low}-{within.high}")]
    mask = finding.mask
    if finding.verdict == "missing" and _left_out(finding, canonical, managed_fields):
        rule = canonical.semantics.zero_is_absent(finding.path)
        return [Hidden(name, "hidden-by-rule", rule.id, rule.reason)] if rule is not None else None
    if finding.verdict != "masked" or mask is None:
        mask = _of_its_writer(finding, canonical, managed_fields)
    if mask is None:
        return None
    if finding.want is finding.now:
        return []
    klass = _HIDDEN_CLASS.get(mask.rule, "allocated" if mask.allocated else "hidden-by-rule")
    return [Hidden(name, klass, mask.rule, mask.reason)]


def _is_of_another_version(finding: Finding, canonical: CanonicalObject) -> bool:
    """True for a default that is not there: servers put their defaults into whatever they read."""
    return finding.filled and finding.now is ABSENT and canonical.confidence == "offline"


def _left_out(finding: Finding, canonical: CanonicalObject, managed_fields: Tree) -> bool:
    """True where a controller wrote the parent back without a zero value (Go drops them); a person is no controller."""
    if not canonical.types.custom or not blank(finding.want, Blank.ZERO):
        return False
    writer = blame(managed_fields, finding.path[:-1])
    return writer is not None and writer.operation == "Update" and not writer.manager.startswith(_PEOPLE)


def _of_its_writer(finding: Finding, canonical: CanonicalObject, managed_fields: Tree) -> Mask | None:
    """The rule that hides this place because of who wrote it."""
    masks = [mask for mask in canonical.masks if mask.manager and covers(mask, finding.path)]
    writer = blame(managed_fields, finding.path, finding.now) if masks else None
    if writer is None:
        return None
    fitting = (mask for mask in masks if fnmatchcase(writer.manager, mask.manager))
    return next((mask for mask in fitting if hides(mask, finding.want, finding.now)), None)


def findings(canonical: CanonicalObject, was: Tree, now: Tree, *, learns: bool = False) -> Iterator[Finding]:
    """Content findings (all but metadata), then those of held metadata. `was` may be UNKNOWN.

    `learns`: what is known of the API server counts too. Without it nothing that no server has confirmed is sure, since
    a doubt must not refuse anyone.
    """
    types, offline = canonical.types, canonical.confidence == "offline"
    reading = Reading(
        offline,
        types.custom,
        learns=learns and offline,
        semantics=canonical.semantics,
        kind=canonical.kind.name,
        compares=learns,
    )
    masks = build(canonical.masks)
    root = Place((), types, canonical.filled or None, masks, reading.at(types))
    want = want_of(canonical, was, now) if canonical.dropped else canonical.want
    keys = [key for key in dict.fromkeys([*want, *_keys(now), *_keys(was)]) if _is_content(key)]
    for key in keys:
        old = UNKNOWN if was is UNKNOWN else child(was, key)
        yield from walk(root.below(key, root.node.at(key)), child(want, key), old, child(now, key))
    yield from metadata_findings(canonical, was, now, root)


def metadata_findings(canonical: CanonicalObject, was: Tree, now: Tree, root: Place) -> Iterator[Finding]:
    """Declared labels, annotations, finalizers and owners that are not as declared; keys that must not be there."""
    above = Place((), root.node, root.filled, root.masks, CONFIRMED).below("metadata", PLAIN)
    wanted, present = child(canonical.want, "metadata"), child(now, "metadata")
    for name in _CONTENT_META:
        want, after = child(wanted, name), child(present, name)
        if want is ABSENT and after is ABSENT:
            continue
        place = above.below(name, PLAIN)
        old = UNKNOWN if was is UNKNOWN else dig(was, "metadata", name)
        if settled(place, want, old, after):
            continue
        if root.reading.compares and name in ("labels", "annotations"):
            yield from _protected(place, want, after, canonical.semantics)
        found = _held_keys(place, want, old, after) if isinstance(want, dict) else _held_items(place, want, old, after)
        mask = above.mask(want, after) or place.mask(want, after)
        yield from found if mask is None else (replace(one, verdict="masked", mask=mask) for one in found)


def _protected(place: Place, want: Tree, now: Tree, semantics: Semantics) -> Iterator[Finding]:
    """Undeclared keys that change what the object means to the cluster, such as a level of Pod security."""
    for key in now if isinstance(now, dict) else ():
        if child(want, key) is ABSENT and semantics.protects(key):
            yield place.below(key, PLAIN).finding("extra", ABSENT, UNKNOWN, now[key])


def _held_keys(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    for key, value in want.items():
        old, present = UNKNOWN if was is UNKNOWN else child(was, key), child(now, key)
        if not settled(place, value, old, present):
            yield from walk(place.below(key, PLAIN), value, old, present)


def _held_items(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    present = now if isinstance(now, list) else []
    before = was if isinstance(was, list) else []
    for index, value in enumerate(want if isinstance(want, list) else ()):
        if not _holds(present, value) and (was is UNKNOWN or _holds(before, value)):
            yield place.below(index, PLAIN).finding("missing", value, was, ABSENT)


def _holds(items: list[Tree], wanted: Tree) -> bool:
    """An owner is known by kind and name: its uid is the cluster's own."""
    if isinstance(wanted, dict):
        return any(isinstance(i, dict) and all(i.get(k) == wanted.get(k) for k in ("kind", "name")) for i in items)
    return wanted in items


def _keys(tree: Tree) -> list[str]:
    return list(tree) if isinstance(tree, dict) else []


def _is_content(key: str) -> bool:
    return key not in ("apiVersion", "kind", "metadata", "status")


def _change(finding: Finding, desired: Tree, live: Tree) -> Change:
    op: Op = "remove" if finding.now is ABSENT else "add" if finding.want is ABSENT else "replace"
    klass: Klass = "changed" if finding.verdict == "masked" else finding.verdict
    if finding.want is ABSENT and klass == "changed":
        klass = "extra"
    if finding.filled and klass in ("changed", "missing"):
        klass = "default-overridden"
    document = desired if finding.now is ABSENT else live
    place = finding.path
    return Change(pointer(place, document), op, finding.want, finding.now, klass, place, readable(place))
