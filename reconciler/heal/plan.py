"""Owns what is written to put one object back: the least that does it. Must not send, nor judge whether it may be.

Values come from the canonical form, those of Secrets from what was rendered: a form holds only their hashes. What Git
leaves to others is no change of a comparison, so nothing here ever touches it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import jsonpatch

from reconciler.canonical.engine import GENERATED, manifest
from reconciler.canonical.versions import converted
from reconciler.compare.comparison import WHOLE, Change, Comparison
from reconciler.compare.patch import repair
from reconciler.heal.owned import kept, laid
from reconciler.model.objects import RenderedObject
from reconciler.model.path import Element, ItemKey, Path, field_name
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.snapshot.model import Entry

Verb = Literal["create", "apply", "patch"]
# What is put back may let another thing show: of an ordered list the order, once its items are there.
_ROUNDS: Final = 3
_PUT_BACK: Final = frozenset({"changed", "missing", "default-overridden"})


class NoWayError(Exception):
    """It cannot be put back; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One write. `body` may hold Secrets in clear, so it is never shown; `fields` are the places as people say them."""

    verb: Verb
    fields: tuple[str, ...] = ()
    body: Tree = field(default=None, repr=False)


def creation(entry: Entry, rendered: RenderedObject) -> Correction:
    """Make the object as a client would. Raises NoWayError."""
    if rendered.generated:
        raise NoWayError("it holds values that the renderer makes anew each time, or that Git holds encrypted")
    tree = manifest(rendered.with_namespace(entry.ref.namespace))
    if tree["apiVersion"] != entry.object.kind.api_version:
        tree = converted(tree, entry.object.kind.api_version)
        if tree is None:
            raise NoWayError(f"Git declares it as {rendered.api_version}, which is not served")
    return Correction("create", body=tree)


def corrections(
    entry: Entry, live: Tree, rendered: RenderedObject | None, compared: Callable[[Tree], Comparison]
) -> Iterator[Correction]:
    """Ways to put the raw `live` object back, the better one first; none where nothing differs. Raises NoWayError.

    `compared` says what of an object differs. Server-side apply of what is to be put back, where nothing is to go and
    apply can say it; else one patch of everything, since a union with two members, say, is refused in either half. Both
    hold only for the object as it was read.
    """
    changes = _settled_all(compared(live), entry, rendered)
    fields = tuple(change.field for change in changes)
    if changes and entry.ref.kind != "Secret" and all(map(_applies, changes)):
        yield Correction("apply", fields, _applied(entry, changes, live))
    target, left = live, changes
    for _ in range(_ROUNDS if changes else 0):
        target = jsonpatch.apply_patch(target, [dict(step) for step in repair(Comparison(left), target)])
        if not (left := _settled_all(compared(target), entry, rendered)):
            break
    if steps := list(jsonpatch.make_patch(live, target)):
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": dig(live, "metadata", "resourceVersion")}
        yield Correction("patch", fields, [version, *steps])


def _settled_all(found: Comparison, entry: Entry, rendered: RenderedObject | None) -> tuple[Change, ...]:
    return tuple(_settled(change, entry, rendered) for change in _listed(found, entry))


def _listed(found: Comparison, entry: Entry) -> tuple[Change, ...]:
    if WHOLE in found.changes:
        raise NoWayError("it differs in more places than are compared: put it back by hand")
    generated = [mask.path for mask in entry.object.masks if mask.rule == GENERATED]
    if any(_meet(place, change.place) for place in generated for change in found.changes):
        raise NoWayError("a value is missing that the renderer makes anew each time, or that Git holds encrypted")
    return found.changes


def _meet(place: tuple[str, ...], path: Path) -> bool:
    """Whether one lies at, within or around the other."""
    return all(part in ("*", "**", _spelled(element)) for part, element in zip(place, path, strict=False))


def _spelled(element: Element) -> str:
    return field_name(element) if isinstance(element, ItemKey) else str(element)


def _settled(change: Change, entry: Entry, rendered: RenderedObject | None) -> Change:
    """The change with the value to write: a document whole, as Git has it; of a Secret what was rendered."""
    if change.inside is not None:
        return replace(change, desired=change.inside.text, klass="changed", inside=None)
    is_secret = (entry.ref.group, entry.ref.kind) == ("", "Secret")
    if not is_secret or change.place[:1] != ("data",) or change.desired in (ABSENT, None):
        return change
    values = _values(rendered)
    names = list(change.desired) if len(change.place) == 1 else [str(change.place[1])]
    if missing := [name for name in names if name not in values]:
        raise NoWayError(f"nobody has the value of {', '.join(sorted(missing))}: it was rendered before the restart")
    return replace(
        change, desired={name: values[name] for name in names} if len(change.place) == 1 else values[names[0]]
    )


def _values(rendered: RenderedObject | None) -> dict[str, str]:
    """Values of a rendered Secret, in base64."""
    tree = rendered.tree if rendered is not None else {}
    plain = {key: b64encode(str(text).encode()).decode() for key, text in (tree.get("stringData") or {}).items()}
    return {**(tree.get("data") or {}), **plain}


def _applies(change: Change) -> bool:
    """Whether server-side apply can say it: a value at a place of names and keys, never an order or an index."""
    named = not any(isinstance(element, int) for element in change.place)
    return named and change.klass in _PUT_BACK and change.desired is not ABSENT and change.desired is not None


def _applied(entry: Entry, changes: Iterable[Change], live: Tree) -> Tree:
    """What is put back, and what an earlier correction of ours still holds: left out, the API server would drop it."""
    # Without the uid, apply would make a part of an object that somebody has deleted meanwhile.
    read = {name: dig(live, "metadata", name) for name in ("resourceVersion", "uid")}
    identity = {"name": entry.ref.name, **{name: value for name, value in read.items() if value is not ABSENT}}
    if entry.ref.namespace:
        identity["namespace"] = entry.ref.namespace
    tree = {**kept(live), "apiVersion": entry.object.kind.api_version, "kind": entry.ref.kind}
    tree["metadata"] = {**tree.get("metadata", {}), **identity}
    for change in changes:
        tree = laid(tree, change.place, change.desired)
    return tree
