"""Owns writing one commit's files into a directory, as regular files within limits. Must not run a renderer.

Symbolic links are resolved here, against the tree of the commit and never against this machine's files.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source.backend import Entry, Objects, Revision
from reconciler.source.reach import is_below
from reconciler.source.selection import ALL, Selection

_LINK: Final = "120000"
_SUBMODULE: Final = "160000"
_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LINK_BYTES: Final = 4096
_LINKS_DEEP: Final = 10
_PATH_BYTES: Final = 1024
_NAME_BYTES: Final = 255


def materialise(
    objects: Objects,
    revision: Revision,
    path: str,
    into: Path,
    selection: Selection = ALL,
    beside: Collection[str] = ("",),
) -> tuple[str, ...]:
    """Write the repository at `revision` below `into`, as regular files; gives remarks. `path` is what gets rendered.

    Everything at `path` is written or the call fails; what lies in the places `beside` it ("" is all of the
    repository) comes along for the bases that a kustomization names, as far as the limits reach. What `selection`
    leaves out is as if it were not there. Links inside the repository become copies; links out of it and hostile names
    are refused; submodules, LFS pointers and oversized files are remarked on. Raises SourceError.
    """
    tree = _Tree(objects, revision, list(_few(selection.of(objects.list(revision), path))))
    plan = tree.plan(path, within=True)
    if path and not plan and not tree.has(path):
        raise SourceError("no such path in the repository", where=path, hint="check spec.path", code="SS2006")
    if not _fits(plan):
        bound = f"{limits.INPUT_FILES} files or {limits.INPUT_BYTES // limits.MIB} MiB"
        raise SourceError(f"more than {bound}", where=path or "/", code="SS2007")
    whole = plan | tree.plan(path, within=False, places=beside)
    if _fits(whole):
        plan = whole
    else:
        tree.notes.append("the repository is too large to bring along: bases outside the path are not seen")
    (into / path).mkdir(parents=True, exist_ok=True)
    targets = list(plan.items())
    for (name, _), (_, data) in zip(targets, objects.read(revision, [entry for _, entry in targets]), strict=True):
        if data.startswith(_LFS) and is_below(name, path):
            tree.notes.append(f"{name} is a Git LFS pointer: its content is not fetched")
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return tuple(tree.notes)


class _Tree:
    """The entries of one commit, with the targets of its links."""

    def __init__(self, objects: Objects, revision: Revision, found: list[Entry]) -> None:
        self._entries = {entry.path: entry for entry in found}
        links = [entry for entry in found if entry.mode == _LINK and entry.size <= _LINK_BYTES]
        self._links = {
            entry.path: data.decode("utf-8", "surrogateescape") for entry, data in objects.read(revision, links)
        }
        self.notes: list[str] = []
        self._names = sorted(self._entries)
        self._linked = 0

    def has(self, path: str) -> bool:
        """True when `path` is a file or directory of the commit."""
        return any(is_below(name, path) for name in self._entries)

    def plan(self, path: str, *, within: bool, places: Collection[str] = ("",)) -> dict[str, Entry]:
        """Which blob to write at which path, at and below `path` or (`within` false) in `places` of the rest.

        In the rest, what cannot be written is left out without a word.
        """
        plan: dict[str, Entry] = {}
        self._linked = 0
        for name, entry in self._entries.items():
            if is_below(name, path) is not within or not any(is_below(name, place) for place in places):
                continue
            try:
                _check_name(name)
                plan |= self._blobs(name, entry, note=within)
            except SourceError:
                if within:
                    raise
        return plan

    def _blobs(self, name: str, entry: Entry, *, note: bool, deep: int = 0) -> dict[str, Entry]:
        if entry.mode == _SUBMODULE:
            remark = f"{name} is a submodule and was left out"
        elif entry.mode == _LINK:
            if name not in self._links:
                raise SourceError(f"symbolic link of more than {_LINK_BYTES} bytes", where=ascii(name), code="SS2008")
            return self._link(name, deep, note=note)
        elif entry.size > limits.FILE_BYTES:
            remark = f"{name} is larger than {limits.FILE_BYTES // limits.MIB} MiB and was left out"
        else:
            # What a link leads to takes a new, longer name.
            _check_name(name)
            return {name: entry}
        if note:
            self.notes.append(remark)
        return {}

    def _link(self, name: str, deep: int, *, note: bool) -> dict[str, Entry]:
        real = self._real(name)
        if real in self._entries:
            return self._blobs(name, self._entries[real], note=note)
        below = self._inside(real)
        if not below:
            raise SourceError("symbolic link to nothing", where=name, code="SS2008")
        if is_below(name, real) or deep >= _LINKS_DEEP:
            raise SourceError("symbolic links form a loop", where=name, code="SS2008")
        plan: dict[str, Entry] = {}
        self._count(name, len(below))
        for path in below:
            inner = f"{name}/{path[len(real) :].lstrip('/')}"
            plan |= (
                self._nested(inner, path, deep + 1, note=note)
                if self._entries[path].mode == _LINK
                else self._blobs(inner, self._entries[path], note=note)
            )
        return plan

    def _inside(self, directory: str) -> list[str]:
        """The entries in `directory` and below, "" for all."""
        if not directory:
            return self._names
        first = bisect_left(self._names, f"{directory}/")
        return self._names[first : bisect_left(self._names, f"{directory}0", first)]  # "0" is what follows "/"

    def _count(self, link: str, files: int) -> None:
        """All links together lead to no more files than an input may have: links to links multiply."""
        self._linked += files
        if self._linked > limits.INPUT_FILES:
            raise SourceError(f"symbolic links to more than {limits.INPUT_FILES} files", where=link, code="SS2007")

    def _nested(self, name: str, link: str, deep: int, *, note: bool) -> dict[str, Entry]:
        """The blobs of `link`, a link inside a linked directory, written below `name` instead."""
        found = self._link(link, deep, note=note)
        return {f"{name}{path[len(link) :]}": entry for path, entry in found.items()}

    def _real(self, path: str) -> str:
        """`path` with every link on the way resolved inside the commit."""
        for _ in range(_LINKS_DEEP):
            parts = path.split("/")
            heads = ("/".join(parts[: count + 1]) for count in range(len(parts)))
            link = next((head for head in heads if head in self._links), None)
            if link is None:
                return path
            target = posixpath.normpath(posixpath.join(posixpath.dirname(link), self._links[link]))
            if target.startswith(("/", "..")) or "\0" in target or ".git" in target.split("/"):
                raise SourceError("symbolic link leads out of the repository", where=link, code="SS2008")
            path = posixpath.normpath(target + path[len(link) :])
            path = "" if path == "." else path
        raise SourceError("symbolic links form a loop", where=path, code="SS2008")


def _fits(plan: dict[str, Entry]) -> bool:
    return len(plan) <= limits.INPUT_FILES and sum(entry.size for entry in plan.values()) <= limits.INPUT_BYTES


def _few(found: Iterable[Entry]) -> Iterator[Entry]:
    for number, entry in enumerate(found):
        if number == limits.REPOSITORY_FILES:
            message = f"the repository holds more than {limits.REPOSITORY_FILES} files"
            raise SourceError(message, hint="leave some out with spec.paths or spec.ignore", code="SS2018")
        yield entry


def _check_name(name: str) -> None:
    """Raises SourceError for names that git refuses to write, too, and for those that no manifest needs."""
    parts = name.lower().split("/")
    too_long = _bytes(name) > _PATH_BYTES or any(_bytes(part) > _NAME_BYTES for part in parts)
    if any(part in {"", ".", "..", ".git"} for part in parts) or too_long:
        raise SourceError("not a name that a repository may hold", where=ascii(name), code="SS2008")
    if not name.isprintable():
        raise SourceError("a file name with control characters or not in UTF-8", where=ascii(name), code="SS2008")


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))
