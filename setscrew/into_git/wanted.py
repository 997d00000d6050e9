"""Owns what a file must say so that Git wants what is live: the written object with the drifted values. Pure.

Must not know text. What does not stand in the file as it was rendered is refused, with where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import jsonpatch

from reconciler.canonical.volatile import is_bookkeeping, strip
from reconciler.compare.comparison import WHOLE, Change, Comparison
from reconciler.compare.patch import repair
from reconciler.model.path import Path, readable
from reconciler.model.tree import ABSENT, Tree, strict_equal
from setscrew.into_git.written import NotAdoptableError, Place, value_at

_ENDS: Final = {
    "helm": "a template or a value of the chart makes it: change that",
    "kustomize": "the kustomization changes it on the way (patches, images, replicas, labels …): change it there",
    "yaml": "edit the file by hand",
}


def adopted(place: Place, rendered: Tree, changes: Sequence[Change], live: Tree, generator: str) -> Tree:
    """The object of `place` with what is live at all drifted paths. Raises NotAdoptableError.

    `rendered` is what `generator` makes of the file today.
    """
    wanted = list(_turned(changes, live))
    for change in wanted:
        _check_literal(place, rendered, change.place, generator)
    operations = repair(Comparison(tuple(wanted)), place.tree)
    return jsonpatch.JsonPatch([dict(step) for step in operations]).apply(place.tree)


def cleaned(live: Tree) -> dict[str, Any]:
    """A live object as a person would have written it: nothing that the API server alone writes."""
    tree = strip(live)
    metadata = {key: value for key, value in tree["metadata"].items() if key not in ("ownerReferences", "finalizers")}
    annotations = {
        key: one for key, one in (metadata.pop("annotations", None) or {}).items() if not is_bookkeeping(key)
    }
    ordered = {"apiVersion": tree["apiVersion"], "kind": tree["kind"]}
    return {**ordered, **tree, "metadata": metadata | ({"annotations": annotations} if annotations else {})}


def _turned(changes: Iterable[Change], live: Tree) -> Iterable[Change]:
    """Each change as one that puts what is live where something else is wanted; a list without keys is taken whole."""
    whole: set[Path] = set()
    for change in changes:
        if change is WHOLE:
            message = "it differs in more places than are compared one by one"
            raise NotAdoptableError(message, hint="write it into Git by hand")
        cut = _cut(change.place, live)
        place = change.place[:cut]
        if change.klass == "order" and cut == len(change.place):
            yield replace(change, desired=change.live, live=change.desired)
        elif cut < len(change.place) or change.inside is not None:
            if place not in whole:
                whole.add(place)
                yield replace(change, place=place, desired=value_at(live, place), klass="changed", inside=None)
        else:
            yield replace(change, desired=change.live, live=change.desired, klass="changed")


def _cut(place: Path, live: Tree) -> int:
    """How much of a path counts: up to a list without keys, or to the first thing that live has nothing of."""
    for at, element in enumerate(place):
        if isinstance(element, int):
            return at
        live = value_at(live, (element,))
        if live is ABSENT:
            return at + 1
    return len(place)


def _check_literal(place: Place, rendered: Tree, path: Path, generator: str) -> None:
    """Raises NotAdoptableError where the file does not say at that path what is rendered of it."""
    for end in range(1, len(path) + 1):
        written, made = value_at(place.tree, path[:end]), value_at(rendered, path[:end])
        is_last = end == len(path)
        if (written is ABSENT) is (made is ABSENT) and (
            not is_last or written is ABSENT or strict_equal(written, made)
        ):
            continue
        where = f"{place.file}:{place.line(path)}"
        expression = place.expression(path)
        message = f"{readable(path)} does not stand there as it is rendered"
        if expression:
            message = f"{readable(path)} comes from the template expression {expression}"
        raise NotAdoptableError(message, where=where, hint=_ENDS.get(generator, _ENDS["yaml"]))
