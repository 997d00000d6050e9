"""Owns telling what a renderer makes anew each time, from two renders of the same input. Pure; must not render.

Helm's `randAlphaNum`, `genCA`, `uuidv4` and `now` give other values at each call, also through a checksum annotation or
a packaged sub-chart. So it is looked at what came out, not at the templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from reconciler.model.objects import RenderedObject
from reconciler.model.path import ROOT, Path, pointer
from reconciler.model.tree import Tree, strict_equal

_SHOWN: Final = 5
_OUT: Final = "it has another name at each render, so nothing in a cluster can be told to be it"
_WAY_OUT: Final = "a value from a Secret that is created once would be stable, and guarded"
# The object itself stays an object, so these are not given up as a whole where their keys differ.
_KEPT: Final[frozenset[Path]] = frozenset({ROOT, ("metadata",)})


def mark_generated(
    first: Sequence[RenderedObject], second: Sequence[RenderedObject]
) -> tuple[tuple[RenderedObject, ...], list[str]]:
    """The objects of the `first` render with `generated` set, and a note for each object that has any.

    Objects are matched by identity. One whose name differs between the renders is left out, with a note.
    """
    again = {found.ref: found for found in second}
    objects: list[RenderedObject] = []
    notes: list[str] = []
    for found in first:
        twin = again.get(found.ref)
        if twin is None:
            notes.append(f"left out: {found.ref} ({found.provenance.place}): {_OUT}")
            continue
        paths = sorted(pointer(path, found.tree) for path in _differences(found.tree, twin.tree, ROOT))
        objects.append(replace(found, generated=tuple(paths)))
        if paths:
            notes.append(_note(found, paths))
    return tuple(objects), notes


def _note(found: RenderedObject, paths: Sequence[str]) -> str:
    shown = ", ".join(islice(paths, _SHOWN)) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
    return (
        f"generated anew at each render, compared by presence only: {found.ref} ({found.provenance.place}) {shown}; "
        f"{_WAY_OUT}"
    )


def _differences(a: Tree, b: Tree, path: Path) -> Iterator[Path]:
    """Where `a` differs from `b`, as paths into `a`; a mapping or list of other keys or length differs as a whole."""
    if isinstance(a, dict) and isinstance(b, dict) and (path in _KEPT or a.keys() == b.keys()):
        for key, value in a.items():
            if key not in b:
                yield (*path, key)
            else:
                yield from _differences(value, b[key], (*path, key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, pair in enumerate(zip(a, b, strict=True)):
            yield from _differences(*pair, (*path, index))
    elif not strict_equal(a, b):
        yield path
