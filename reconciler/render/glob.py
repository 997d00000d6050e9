"""Owns Argo CD's globs over file names: `*` reaches over slashes, `{a,b}` is one of several. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from itertools import islice, pairwise
from typing import Final

from reconciler.errors import UsageError

_ALTERNATIVES: Final = 100
_CHARS: Final = 1024
_TOKEN: Final = re.compile(r"\\.|\[[^\]]*\]|.", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def compiled(pattern: str, where: str) -> re.Pattern[str]:
    """The pattern as a regular expression for whole paths, without backtracking over what `*` takes.

    Raises UsageError for braces that do not match, or stand for too many.
    """
    if len(pattern) > _CHARS:
        raise UsageError(f"is longer than {_CHARS} characters", where=where)
    plain = list(islice(_alternatives(pattern, where), _ALTERNATIVES + 1))
    if len(plain) > _ALTERNATIVES:
        raise UsageError(f"{pattern!r} stands for more than {_ALTERNATIVES} patterns", where=where)
    return re.compile("|".join(translate(_ESCAPED.sub(_literal, one)) for one in plain))


def _literal(escaped: re.Match[str]) -> str:
    return f"[{escaped[1]}]" if escaped[1] in "*?[" else escaped[1]


def _alternatives(pattern: str, where: str) -> Iterator[str]:
    """The pattern once for each choice of its braces; one in brackets or after a backslash is none."""
    tokens = _TOKEN.findall(pattern)
    if "{" not in tokens:
        if "}" in tokens:
            raise UsageError(f"{pattern!r} closes a brace that none opens", where=where)
        yield pattern
        return
    start = tokens.index("{")
    end, commas = _closing(tokens, start)
    if not end:
        raise UsageError(f"{pattern!r} opens a brace that none closes", where=where)
    bounds = [start, *commas, end]
    for before, after in pairwise(bounds):
        chosen = [*tokens[:start], *tokens[before + 1 : after], *tokens[end + 1 :]]
        yield from _alternatives("".join(chosen), where)


def _closing(tokens: list[str], start: int) -> tuple[int, list[int]]:
    """Where the brace at `start` ends (0: nowhere), and the commas between that are its own."""
    depth, commas = 0, list[int]()
    for index, sign in enumerate(tokens[start:], start):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return index, commas
        if sign == "," and depth == 1:
            commas.append(index)
    return 0, commas
