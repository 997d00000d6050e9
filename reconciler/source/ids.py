"""Owns asking a mirror for the object ids of places in a commit: what is equal by id is equal. Reads no content."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reconciler.source.command import run


def has_links(mirror: Path, commit: str, path: str) -> bool:
    """Whether a symbolic link stands at or below `path`: it may lead to any place of the commit. Raises SourceError."""
    options = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options"]
    output = run(mirror, [*options, commit, *([path] if path else [])])
    return any(row.startswith(b"120000 ") for row in output.split(b"\0"))


def object_ids(mirror: Path, commit: str, places: Iterable[str]) -> dict[str, str]:
    """The id of the tree or file at each place ("" is the root), "" where there is none. Raises SourceError.

    A place with a line break is asked for by nobody: it counts as absent.
    """
    wanted = list(dict.fromkeys(places))
    asked = [place for place in wanted if "\n" not in place]
    lines = "".join(f"{commit}^{{tree}}\n" if not place else f"{commit}:{place}\n" for place in asked)
    output = run(mirror, ["cat-file", "--batch-check=%(objectname)"], stdin=lines.encode("utf-8", "surrogateescape"))
    rows = output.decode("utf-8", "replace").splitlines()
    found = {place: "" if row.endswith(" missing") else row for place, row in zip(asked, rows, strict=True)}
    return {place: found.get(place, "") for place in wanted}
