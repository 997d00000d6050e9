"""Owns reading a mirror: commits with GitPython's parser, trees and files through `git ls-tree` and `cat-file --batch`.

Nothing is ever checked out: no hook, filter, LFS smudge or link of the repository takes effect, and sizes are known
before content is read. Must not reach a remote.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import git

from reconciler.errors import SourceError
from reconciler.source.backend import Entry
from reconciler.source.command import run

_SUBJECT_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Facts:
    """What a commit says of itself; both are written by whoever made it, so they are data, never markup."""

    subject: str
    author: str


def describe(mirror: Path, commit: str) -> Facts:
    """Subject and author of `commit`. Raises SourceError when it cannot be read."""
    raw = run(mirror, ["cat-file", "commit", "--end-of-options", commit])
    try:
        # Only GitPython's parser: its Repo asks this process's GIT_* variables, which in a hook name another one.
        found = git.Commit(cast("git.Repo", None), bytes.fromhex(commit))._deserialize(io.BytesIO(raw))  # noqa: SLF001
        subject, author = str(found.summary), f"{found.author.name} <{found.author.email}>"
    except (ValueError, IndexError, LookupError) as error:
        raise SourceError(f"cannot read commit {commit}", where=str(mirror)) from error
    return Facts(_one_line(subject), _one_line(author))


def first_parents(mirror: Path, commit: str, count: int) -> tuple[tuple[str, str], ...]:
    """`commit` and what its branch was before, newest first: up to `count` (commit, subject) that the mirror holds."""
    options = ["--first-parent", "--no-show-signature", f"--max-count={count}", "--format=%H %s"]
    output = run(mirror, ["log", *options, "--end-of-options", commit]).decode("utf-8", "replace")
    rows = (row.partition(" ") for row in output.split("\n") if row)
    return tuple((found, _one_line(subject)) for found, _, subject in rows)


def entries(mirror: Path, commit: str) -> Iterator[Entry]:
    """All files, links and submodules of `commit`. Raises SourceError."""
    listing = run(mirror, ["ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit])
    for row in listing.split(b"\0"):
        if row:
            facts, _, name = row.partition(b"\t")
            mode, _, oid, size = facts.decode("ascii").split()
            yield Entry(mode, oid, 0 if size == "-" else int(size), _name(name))


def read(mirror: Path, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """The content of entries, in order, in one `cat-file` process. Sizes must have been checked before."""
    wanted = list(entries)
    if not wanted:
        return
    output = run(mirror, ["cat-file", "--batch"], stdin="".join(f"{entry.oid}\n" for entry in wanted).encode())
    at = 0
    for entry in wanted:
        head = output.index(b"\n", at)
        if output[at:head].split()[1:2] != [b"blob"]:
            raise SourceError("object missing from the mirror", where=entry.path)
        start = head + 1
        at = start + entry.size + 1
        yield entry, output[start : start + entry.size]


def _name(raw: bytes) -> str:
    """The path as text; bytes that are no UTF-8 become surrogates, which `materialise` refuses."""
    return raw.decode("utf-8", "surrogateescape")


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)[:_SUBJECT_CHARS]
