"""Owns which files of a repository Flux leaves out of what it renders: `.sourceignore`, `spec.ignore`, its defaults.

Not git's rule, but that of Flux's source-controller: the last pattern that fits decides, also for a file in a directory
that is left out. Runs in the render child.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import Final

from reconciler.render import intake

SOURCE_IGNORE: Final = ".sourceignore"
_VCS: Final = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
_DEFAULTS: Final = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
    *("codeship-services.yml", "codeship-steps.yml", "**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)


_GO: Final = re.compile(r"\\.|\[\^", re.DOTALL)
_PYTHON: Final = {"[^": "[!", "\\*": "[*]", "\\?": "[?]", "\\[": "[[]"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: `parts` as split at `/`, `domain` the directory that it was written for."""

    parts: tuple[str, ...]
    domain: tuple[str, ...] = ()
    includes: bool = False
    directories_only: bool = False

    def fits(self, place: tuple[str, ...], *, directory: bool) -> bool:
        """True if the line is about `place`, a path below the repository's root."""
        depth = len(self.domain)
        if len(place) <= depth or place[:depth] != self.domain:
            return False
        below = place[depth:]
        return self._by_place(below, directory) if len(self.parts) > 1 else self._by_name(below, directory)

    def _by_name(self, place: tuple[str, ...], directory: bool) -> bool:
        last = len(place) - 1
        found = next((index for index, name in enumerate(place) if _matches(self.parts[0], name)), None)
        return found is not None and not (self.directories_only and not directory and found == last)

    def _by_place(self, place: tuple[str, ...], directory: bool) -> bool:
        rest, matched, anywhere = place, False, False
        for index, part in enumerate(self.parts):
            if part == "**" and index == len(self.parts) - 1:
                break
            if part in {"", "**"}:
                anywhere = part == "**"
                continue
            if "**" in part or not rest:
                return False
            ahead = range(len(rest)) if anywhere else range(1)
            found = next((step for step in ahead if _matches(part, rest[step])), None)
            if found is None and not anywhere:
                return False
            matched, anywhere = found is not None, False
            rest = rest[found + 1 :] if found is not None else ()
        return matched and not (self.directories_only and not directory and not rest)


def patterns(lines: Iterable[str], domain: tuple[str, ...] = ()) -> Iterator[Pattern]:
    """The patterns of an ignore file in the directory `domain`."""
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        text = line.removeprefix("!")
        text = text if text.endswith("\\ ") else text.rstrip(" ")
        only = text.endswith("/")
        parts = (text[:-1] if only else text).split("/")
        yield Pattern(tuple(parts), domain, includes=line.startswith("!"), directories_only=only)


class Ignore:
    """What Flux leaves out of one repository; `extra` is the GitRepository's own `ignore`."""

    def __init__(self, root: Path, extra: str | None) -> None:
        found = [*_of_files(root), *patterns((extra or "").splitlines())]
        first = patterns(_VCS) if found else patterns((*_VCS, *_DEFAULTS))
        self._patterns = [*first, *found][::-1]

    def leaves_out(self, place: tuple[str, ...], *, directory: bool = False) -> bool:
        """True if Flux does not see the file (or directory) at `place`, a path below the root."""
        decisive = (one for one in self._patterns if one.fits(place, directory=directory))
        one = next(decisive, None)
        return one is not None and not one.includes


def _of_files(root: Path) -> Iterator[Pattern]:
    for directory, below, files in os.walk(root):
        below[:] = sorted(name for name in below if name != ".git")
        if SOURCE_IGNORE in files:
            text = intake.read(Path(directory) / SOURCE_IGNORE, root).decode("utf-8", "replace")
            yield from patterns(text.splitlines(), Path(directory).relative_to(root).parts)


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    # Go writes `[^a]`, Python `[!a]`, and to Python a backslash is a sign like others.
    return re.compile(translate(_GO.sub(lambda found: _PYTHON.get(found[0], found[0][1:]), pattern)))


def _matches(pattern: str, name: str) -> bool:
    return _expression(pattern).match(name) is not None
