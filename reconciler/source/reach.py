"""Owns which places outside of a directory the kustomizations in it may lead to. Generous; must not parse YAML.

A guess that is too narrow costs a second render with all of the repository, one too wide only time.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from reconciler.limits import FILE_BYTES
from reconciler.source.backend import Entry, Objects, Revision

_OUTWARD: Final = re.compile(r"[^\s\"'\[\]{},]*\.\.[^\s\"'\[\]{},]*")


def reach(
    objects: Objects, revision: Revision, path: str, names: Collection[str], also: Iterable[str] = ()
) -> frozenset[str]:
    """The directories beside `path` that kustomizations below it name, and those that these name, and so on.

    `names` are the file names of kustomizations; `also` are names, relative to `path` or to the root, that are needed
    if they are there. Raises SourceError.
    """
    entries = {entry.path: entry for entry in objects.list(revision)}
    asked = [_place(start, name) for name in also for start in (path, "")]
    found = {_directory(place, entries) for place in asked if place in entries}
    waiting, seen = [path, *found], set[str]()
    while waiting:
        files = [one for one in _kustomizations(waiting.pop(), names, entries) if one.path not in seen]
        seen.update(one.path for one in files)
        for file, data in objects.read(revision, files):
            words = _OUTWARD.findall(data.decode("utf-8", "replace"))
            places = (_place(posixpath.dirname(file.path), word) for word in words)
            new = {_directory(place, entries) for place in places if place is not None} - found
            found |= new
            waiting += new
    return frozenset(place for place in found if not is_below(place, path))


def is_below(name: str, place: str) -> bool:
    """Whether `name` is `place` or in it; "" is the root."""
    return not place or name == place or name.startswith(f"{place}/")


def _place(directory: str, word: str) -> str | None:
    """Where a word in a file of `directory` leads to; None for out of the repository."""
    place = posixpath.normpath(posixpath.join(directory, word))
    return None if place.startswith(("..", "/")) else "" if place == "." else place


def _directory(place: str, entries: Mapping[str, Entry]) -> str:
    return posixpath.dirname(place) if place in entries else place


def _kustomizations(directory: str, names: Collection[str], entries: Mapping[str, Entry]) -> Iterator[Entry]:
    for name, one in entries.items():
        if posixpath.basename(name) in names and is_below(name, directory) and one.size <= FILE_BYTES:
            yield one
