"""Owns what of a repository is looked at: patterns as gitignore writes them. Pure; must not read a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from pathspec import GitIgnoreSpec

from reconciler.errors import UsageError
from reconciler.source.backend import Entry


@dataclass(frozen=True, slots=True)
class Selection:
    """`paths` are what comes along beside the rendered path (none: all), `ignore` what is left out everywhere.

    `strictly`: nothing is rendered, so that `paths` are all there is.
    """

    paths: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strictly: bool = False

    def of(self, entries: Iterable[Entry], path: str) -> Iterator[Entry]:
        """The entries that are selected; `path` is what gets rendered. Raises UsageError for a bad pattern."""
        wanted, ignored = _spec(self.paths, "paths"), _spec(self.ignore, "ignore")
        below = f"{path}/" if path else ""
        for entry in entries:
            along = not self.paths or wanted.match_file(entry.path) or entry.path == path
            if (along or (entry.path.startswith(below) and not self.strictly)) and not (
                self.ignore and ignored.match_file(entry.path)
            ):
                yield entry


ALL: Final = Selection()


@cache
def _spec(patterns: tuple[str, ...], name: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError("holds a pattern that gitignore does not have", where=f"spec.{name}") from error
