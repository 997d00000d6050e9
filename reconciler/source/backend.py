"""Owns what the rest of Setscrew asks of Git: four calls that another implementation may answer, too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from reconciler.source.spec import GitSource


@dataclass(frozen=True, slots=True)
class Head:
    """What a source's ref names at its remote: a commit, and the ref in full (`refs/heads/main`) by which it was found.

    `tag` is the id of the tag object that leads to the commit, "" where none does. A pinned commit is its own ref.
    """

    commit: str
    ref: str
    tag: str = ""

    @property
    def name(self) -> str:
        """As people say it: `main`, `v1.2.3`."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of a source: its id, the ref it was found by, and what people know it by.

    `mirror` is the bare repository that holds it ("" for a plain directory, whose digest then stands in `commit`).
    `log` is the commit and what its branch was before, newest first, with subjects, as far as the mirror goes.
    `tag` is the annotated tag's id, "" for none. `rewritten` is the last commit if this one does not descend from it.
    """

    source: str
    commit: str
    ref: str
    subject: str = ""
    author: str = ""
    mirror: str = ""
    log: tuple[tuple[str, str], ...] = ()
    tag: str = ""
    rewritten: str = ""

    @property
    def text(self) -> str:
        """`main@sha1:<40 hex>` as Flux writes it, `sha1:<40 hex>` for a pinned commit, `dir@sha256:<64 hex>`."""
        digest = f"{'sha1' if len(self.commit) == 40 else 'sha256'}:{self.commit}"
        return digest if self.ref == self.commit else f"{self.ref}@{digest}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: mode as six digits, object id, size in bytes (0 for submodules), path from the root."""

    mode: str
    oid: str
    size: int
    path: str


class Objects(Protocol):
    """Whoever reads what was fetched. Each call raises SourceError."""

    def list(self, revision: Revision) -> Iterator[Entry]:
        """All files, links and submodules of the revision."""

    def read(self, revision: Revision, wanted: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """The content of entries, in order. Their sizes must have been checked before."""


class Backend(Objects, Protocol):
    """Whoever reads repositories. Each call raises SourceError."""

    def resolve(self, source: GitSource, since: float | None = None) -> Head:
        """What the source's ref names at its remote now; an answer that was asked for at `since` or later will do.

        `since` is monotonic; None asks anew. Sources of one remote share an answer.
        """

    def fetch(self, source: GitSource, head: Head, *, last: str = "", depth: int = 0) -> Revision:
        """Have the commit here, with so many commits before it (0: a few). `last` is the commit that was good before.

        What comes is what the ref names by then, which may be newer than `head`.
        """
