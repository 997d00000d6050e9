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
from reconciler.compare.equal import Blank, Reading, blank, same, touched
from reconciler.compare.inside import opened
from reconciler.compare.masking import build, covers
from reconciler.compare.metadata import CONTENT_META, metadata_findings
from reconciler.compare.place import UNKNOWN, Finding, Inside, Place, named
from reconciler.compare.stored import want_of
from reconciler.compare.walk import walk
from reconciler.embedded.opaque import DRA, with_defaults
from reconciler.embedded.parser import Parser, read_json
from reconciler.limits import COMPARED_CHANGES
from reconciler.model.path import Path, pointer, readable
from reconciler.model.tree import ABSENT, Tree, child

Op = Literal["add", "remove", "replace"]
Klass = Literal["changed", "missing", "extra", "default-overridden", "order"]
HiddenClass = Literal["generated", "allocated", "hidden-by-rule"]
_HIDDEN_CLASS: Final[dict[str, HiddenClass]] = {GENERATED: "generated", VOLATILE: "generated"}
# How the tools of people name themselves in managedFields.
_PEOPLE: Final = ("kubectl", "Mozilla", "curl", "k9s", "Lens", "octant", "headlamp", "rancher-dashboard")
_AROUND: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


@dataclass(frozen=True, slots=True)
class Change:
    """One drifted path. `op` is what was done to live seen from desired; ABSENT stands for no value.

    `inside`: both values are those of a place in the document that the string at `path` holds.
    """

    path: str
    op: Op
    desired: Tree
    live: Tree
    klass: Klass
    place: Path
    field: str
    inside: Inside | None = None

    @property
    def embedded(self) -> str:
        """The pointer into the document inside the string; "" for none."""
        return "" if self.inside is None else self.inside.pointer


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
    canonical: CanonicalObject,
    live: Tree,
    managed_fields: Tree = None,
    *,
    undeclared: bool = True,
    parse: Parser = read_json,
) -> Comparison:
    """Compare with a live object that `live_form` has normalized; order of changes is deterministic.

    `managed_fields` are those of the live object: some rules ask who wrote a field, none says that it is drift.
    `undeclared`: what Git does not declare counts; False where a policy leaves it to others. `parse` reads documents
    inside strings, which are compared as text where it cannot.
    """
    drifted, hidden, undecided = list[Finding](), list[Hidden](), list[Finding]()
    as_text = list[str]()
    for finding in findings(canonical, UNKNOWN, live, learns=True, parse=parse):
        if finding.note:
            as_text.append(f"{readable(finding.path)}: {finding.note}")
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
    remarks = (*canonical.notes, *as_text)
    if len(drifted) > COMPARED_CHANGES:
        return Comparison((WHOLE, *changes), tuple(hidden), (*remarks, _NOT_LISTED), doubts)
    return Comparison(changes, tuple(hidden), remarks, doubts)


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


def concerned(declared: Tree, was: Tree, now: Tree) -> bool:
    """False where a change from `was` to `now` has no findings, whatever is wanted: only free metadata changes.

    `declared` is the metadata of the canonical form, of which nothing else needs to be known here.
    """
    if any(key not in _AROUND for key in touched({**was, **now}, was, now)):
        return True
    before, after = _map(child(was, "metadata")), _map(child(now, "metadata"))
    names = (name for name in CONTENT_META if name in _map(declared))
    return any(not _kept(declared[name], before.get(name, ABSENT), after.get(name, ABSENT)) for name in names)


def _kept(declared: Tree, was: Tree, now: Tree) -> bool:
    if was is now:
        return True
    if isinstance(declared, dict):
        return all(same(child(was, key), child(now, key)) for key in declared)
    return same(was, now)


def findings(
    canonical: CanonicalObject, was: Tree, now: Tree, *, learns: bool = False, parse: Parser = read_json
) -> Iterator[Finding]:
    """Content findings (all but metadata), then those of held metadata. `was` may be UNKNOWN.

    `learns`: what is known of the API server counts too. Without it nothing that no server has confirmed is sure, since
    a doubt must not refuse anyone. `parse` reads documents inside strings.
    """
    if canonical.kind.group == DRA:
        want, was, now = with_defaults(canonical.kind.kind, canonical.want, was, now)
        canonical = replace(canonical, want=want)
    types, offline = canonical.types, canonical.confidence == "offline"
    reading = Reading(
        offline,
        types.custom,
        learns=learns and offline,
        semantics=canonical.semantics,
        kind=canonical.kind.name,
        compares=learns,
    )
    root = Place((), types, canonical.filled or None, build(canonical.masks), reading.at(types))
    content = _content_findings(canonical, was, now, root)
    yield from opened(content, canonical.documents, parse, compares=learns) if canonical.documents else content
    yield from metadata_findings(canonical, was, now, root)


def _content_findings(canonical: CanonicalObject, was: Tree, now: Tree, root: Place) -> Iterator[Finding]:
    want = want_of(canonical, was, now) if canonical.dropped else canonical.want
    for key in {**_map(want), **_map(now), **_map(was)}:
        if key in _AROUND:
            continue
        wanted, after = child(want, key), child(now, key)
        old = UNKNOWN if was is UNKNOWN else child(was, key)
        place = root.below(key, canonical.types.at(key))
        if not (_created(place, wanted, after) if old is UNKNOWN else same(old, after)):
            yield from walk(place, wanted, old, after)


def _created(place: Place, want: Tree, now: Tree) -> bool:
    """True where all of a new object is as wanted here, and no rule hides just this."""
    return (place.masks is None or not place.masks.masks) and same(want, now)


def _map(tree: Tree) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}


def _change(finding: Finding, desired: Tree, live: Tree) -> Change:
    op: Op = "remove" if finding.now is ABSENT else "add" if finding.want is ABSENT else "replace"
    klass: Klass = "changed" if finding.verdict == "masked" else finding.verdict
    if finding.want is ABSENT and klass == "changed":
        klass = "extra"
    if finding.filled and klass in ("changed", "missing"):
        klass = "default-overridden"
    document = desired if finding.now is ABSENT and finding.inside is None else live
    place = finding.path
    name = named(place, finding.inside)
    return Change(pointer(place, document), op, finding.want, finding.now, klass, place, name, finding.inside)
