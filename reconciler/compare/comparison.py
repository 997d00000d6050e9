"""Owns the comparison of one canonical object with its live twin: verdict and shown difference in one.

Metadata is compared here as the design says: declared labels, annotations, finalizers and owners are held, what others
add there is free. Must not know time, people or sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reconciler.canonical.form import CanonicalObject
from reconciler.compare.masking import build
from reconciler.compare.walk import UNKNOWN, Finding, Place, walk
from reconciler.model.path import Path, pointer, readable
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.schema.types import PLAIN

Op = Literal["add", "remove", "replace"]
Klass = Literal["changed", "missing", "extra", "default-overridden", "order"]
# Maps whose keys users choose: no API server puts a default among them.
_FREE_MAPS = frozenset(
    ("labels", "annotations", "matchLabels", "nodeSelector", "limits", "requests", "hard", "selector", "parameters")
)
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """All drift of one object; no changes = same. `notes`: what a rule hid, what the server said.

    `undecided`: undeclared fields that may be defaults, which only the server engine could tell.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @property
    def verdict(self) -> Literal["same", "drift"]:
        """Never anything but what `changes` says."""
        return "drift" if self.changes else "same"


def compare(canonical: CanonicalObject, live: Tree) -> Comparison:
    """Compare with a live object that `live_form` has normalized; order of changes is deterministic."""
    changes, notes, undecided = [], list(canonical.notes), []
    for finding in findings(canonical, UNKNOWN, live):
        within = next((one for one in canonical.ranges if one.path == finding.path and one.admits(finding.now)), None)
        if within is not None:
            notes.append(f"{readable(finding.path)}: within {within.low}-{within.high} by rule {within.rule}")
        elif finding.verdict == "masked" and finding.mask is not None:
            if finding.want is not finding.now:
                notes.append(f"{readable(finding.path)}: hidden by rule {finding.mask.rule} ({finding.mask.reason})")
        elif canonical.confidence == "offline" and _may_be_default(finding):
            undecided.append(readable(finding.path))
        else:
            changes.append(_change(finding, canonical.want, live))
    return Comparison(tuple(changes), tuple(dict.fromkeys(notes)), tuple(undecided))


def _may_be_default(finding: Finding) -> bool:
    """Whether a server may have filled in an undeclared field: never items of lists, nor keys that users choose."""
    last = finding.path[-1]
    return finding.verdict == "extra" and isinstance(last, str) and not _users_own(finding.path)


def _users_own(path: Path) -> bool:
    parents = [element for element in path[:-1] if isinstance(element, str)]
    return path[0] in ("data", "binaryData") or bool(parents and parents[-1] in _FREE_MAPS)


def findings(canonical: CanonicalObject, was: Tree, now: Tree) -> Iterator[Finding]:
    """Content findings (all but metadata), then those of held metadata. `was` may be UNKNOWN."""
    lenient = canonical.confidence == "offline"
    root = Place((), canonical.types, canonical.filled or None, build(canonical.masks), lenient)
    keys = [key for key in dict.fromkeys([*canonical.want, *_keys(now), *_keys(was)]) if _is_content(key)]
    for key in keys:
        old = UNKNOWN if was is UNKNOWN else child(was, key)
        yield from walk(root.below(key, root.node.at(key)), child(canonical.want, key), old, child(now, key))
    yield from metadata_findings(canonical, was, now)


def metadata_findings(canonical: CanonicalObject, was: Tree, now: Tree) -> Iterator[Finding]:
    """Declared labels, annotations, finalizers and owners that are not as declared."""
    for name in _CONTENT_META:
        want = dig(canonical.want, "metadata", name)
        if want is ABSENT:
            continue
        old = UNKNOWN if was is UNKNOWN else dig(was, "metadata", name)
        place = Place(("metadata", name), PLAIN, None, None, lenient=False)
        if isinstance(want, dict):
            yield from _held_keys(place, want, old, dig(now, "metadata", name))
        elif isinstance(want, list):
            yield from _held_items(place, want, old, dig(now, "metadata", name))


def _held_keys(place: Place, want: Tree, was: Tree, now: Tree) -> Iterator[Finding]:
    for key, value in want.items():
        old = UNKNOWN if was is UNKNOWN else child(was, key)
        yield from walk(place.below(key, PLAIN), value, old, child(now, key))


def _held_items(place: Place, want: list[Tree], was: Tree, now: Tree) -> Iterator[Finding]:
    present = now if isinstance(now, list) else []
    before = was if isinstance(was, list) else []
    for index, value in enumerate(want):
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
