"""Owns what is written to a person's own clone: one commit on a new branch. Must not touch work tree or HEAD.

No hook of the clone runs, and its configuration decides nothing but who the author is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import SourceError, UsageError
from reconciler.source import child
from reconciler.source.command import Access, run

_FILE: Final = "100644"


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits, as git says it."""

    name: str
    mail: str


def has_commit(repository: Path, commit: str) -> bool:
    """Whether a clone or mirror holds the commit."""
    with suppress(SourceError, OSError):
        run(repository, ["cat-file", "-e", f"{commit}^{{commit}}"])
        return True
    return False


def mode_of(repository: Path, commit: str, path: str) -> str:
    """The mode of a file of a commit, six digits; that of a plain file where there is none. Raises SourceError."""
    row = run(repository, ["ls-tree", "-z", "--full-tree", "--end-of-options", commit, path]).decode("utf-8", "replace")
    return row[:6] or _FILE


def author_of(clone: Path, environment: Mapping[str, str]) -> Author:
    """Who git would say commits there; `environment` is the person's own. Raises UsageError where git does not know."""
    done = child.run(["git", "var", "GIT_AUTHOR_IDENT"], cwd=clone, env=environment, name="git var")
    name, _, rest = done.output.decode("utf-8", "replace").partition(" <")
    mail, found, _ = rest.partition("> ")
    if done.status or not found:
        hint = "git config user.name and user.email"
        raise UsageError("git does not know who commits there", where=str(clone), hint=hint)
    return Author(name, mail)


def commit_on_branch(
    clone: Path, base: str, branch: str, files: Mapping[str, str | None], message: str, author: Author
) -> str:
    """A commit on top of `base` with these files (None: removed), under a branch that must not exist yet; its id.

    Raises UsageError for the name of the branch, SourceError.
    """
    ref = f"refs/heads/{branch}"
    _check_branch(clone, branch, ref)
    with tempfile.TemporaryDirectory(prefix="setscrew-index-") as directory:
        own = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
        for role in ("AUTHOR", "COMMITTER"):
            own |= {f"GIT_{role}_NAME": author.name, f"GIT_{role}_EMAIL": author.mail}
        access = Access(environment=own)
        run(clone, ["read-tree", base], access=access)
        for path, text in files.items():
            _stage(clone, base, path, text, access)
        tree = _word(run(clone, ["write-tree"], access=access))
        commit = _word(run(clone, ["commit-tree", tree, "-p", base, "-F", "-"], access=access, stdin=message.encode()))
    # Of all zeros: it must not exist, also if somebody has just made it.
    run(clone, ["update-ref", "--end-of-options", ref, commit, "0" * len(commit)])
    return commit


def _check_branch(clone: Path, branch: str, ref: str) -> None:
    try:
        run(clone, ["check-ref-format", ref])
    except SourceError:
        raise UsageError(f"{branch!r} is no name of a branch", where="--branch") from None
    if branch.startswith("-"):
        raise UsageError(f"{branch!r} is no name of a branch", where="--branch")
    with suppress(SourceError):
        run(clone, ["rev-parse", "--verify", "--quiet", "--end-of-options", ref])
        raise UsageError(f"there is a branch {branch} already", where=str(clone), hint="choose another name")


def _stage(clone: Path, base: str, path: str, text: str | None, access: Access) -> None:
    if text is None:
        run(clone, ["update-index", "--force-remove", "--", path], access=access)
        return
    blob = _word(run(clone, ["hash-object", "-w", "--no-filters", "--stdin"], access=access, stdin=text.encode()))
    entry = f"{mode_of(clone, base, path)} {blob}\t{path}\0".encode()
    run(clone, ["update-index", "--add", "-z", "--index-info"], access=access, stdin=entry)


def _word(output: bytes) -> str:
    return output.decode("ascii").strip()
