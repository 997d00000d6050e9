"""Owns finding the commits that a revision brings beside those that were accepted before. Must not reach a remote.

A mirror is shallow: git cuts its history where fetches have ended, also where the commits behind are there. So the
graph is put together from all that is there, and what is missing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from reconciler.source.command import run
from reconciler.source.signature.stored import read_objects

Graph = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a revision brings: its commits, newest first.

    `is_whole`: none of them has a parent that is missing. `is_sure`: nor has any that was accepted before, so that all
    that was accepted is known as such.
    """

    commits: tuple[str, ...]
    is_whole: bool
    is_sure: bool


def fresh(mirror: Path, commit: str, before: str) -> Fresh:
    """What `commit` brings that `before` had not, and always itself. Raises SourceError."""
    graph = _graph(mirror, commit, before)
    accepted = _reached(graph, [before])
    found = _reached(graph, [commit], without=accepted)
    whole = all(parent in graph for one in found for parent in graph[one])
    sure = before in graph and all(parent in graph for one in accepted for parent in graph[one])
    return Fresh(tuple(one for one in graph if one in found or one == commit), whole, sure)


def _graph(mirror: Path, *tips: str) -> Graph:
    """The parents of each commit that the mirror can lead to from `tips`, in the order in which git lists them."""
    cut = _shallow(mirror)
    graph: dict[str, tuple[str, ...]] = {}
    todo = _there(mirror, tips)
    while todo:
        rows = run(mirror, ["rev-list", "--parents", "--stdin"], stdin="".join(f"{one}\n" for one in todo).encode())
        found = {one: tuple(parents) for one, *parents in map(str.split, rows.decode("ascii").splitlines())}
        ends = sorted(cut & found.keys())
        found |= dict(zip(ends, map(_parents, (raw for _, raw in read_objects(mirror, ends))), strict=True))
        graph |= found
        todo = _there(mirror, {parent for one in ends for parent in found[one]} - graph.keys())
    return graph


def _reached(graph: Graph, tips: Iterable[str], without: Iterable[str] = ()) -> set[str]:
    seen, todo = set(without), list(tips)
    found = set()
    while todo:
        one = todo.pop()
        if one in graph and one not in seen:
            seen.add(one)
            found.add(one)
            todo += graph[one]
    return found


def _there(mirror: Path, commits: Iterable[str]) -> list[str]:
    asked = sorted(filter(None, commits))
    if not asked:
        return []
    output = run(
        mirror, ["cat-file", "--batch-check=%(objecttype)"], stdin="".join(f"{one}\n" for one in asked).encode()
    )
    return [one for one, row in zip(asked, output.splitlines(), strict=True) if row == b"commit"]


def _shallow(mirror: Path) -> set[str]:
    """The commits whose parents git does not look at."""
    with suppress(FileNotFoundError):
        return set((mirror / "shallow").read_text("ascii").split())
    return set()


def _parents(raw: bytes) -> tuple[str, ...]:
    """The parents that a commit names: rows right behind its tree."""
    rows = raw.decode("ascii", "replace").split("\n")[1:]
    return tuple(row.removeprefix("parent ") for row in takewhile(lambda row: row.startswith("parent "), rows))
