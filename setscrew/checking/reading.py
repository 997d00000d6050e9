"""Owns reading files one by one: their documents, and what is wrong with a file. Must not judge objects.

YAML is parsed in render children, several at a time, each with the limits of a render.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.errors import RenderError
from reconciler.limits import MIB, RENDERS_AT_ONCE
from reconciler.model.tree import Tree
from reconciler.render import intake, parsing
from reconciler.render.process import workspace

_BATCH_BYTES: Final = 4 * MIB
_SMALL_BYTES: Final = MIB // 4
_MANIFEST: Final = re.compile(rb"""(?m)^[ \t-]*["']?(apiVersion|kind)["']?[ \t]*:""")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of `file`, the entries of a List one by one: a tree, the line where it begins, its number."""

    file: Path
    tree: Tree
    line: int
    number: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """`file` cannot be read, or not to its end. `remark`: it can, and something in it is strange.

    `is_manifest` is False where nothing in it looks like a Kubernetes object.
    """

    file: Path
    error: RenderError
    remark: bool = False
    is_manifest: bool = True


def read_files(files: Sequence[Path], bounds: Path) -> Iterator[Document | Trouble]:
    """What the files hold, in their order; links may lead anywhere within `bounds`."""
    with ThreadPoolExecutor(min(RENDERS_AT_ONCE, os.cpu_count() or 1)) as pool:
        for found in pool.map(lambda batch: _read(batch, bounds), _batches(files)):
            yield from found


def _batches(files: Sequence[Path]) -> list[list[Path]]:
    """One batch for each child that runs at a time, since each costs to start; more where one would be too large."""
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    share = sum(sizes) // (os.cpu_count() or 1) + max(sizes, default=0)
    most = min(_BATCH_BYTES, max(_SMALL_BYTES, share))
    batches: list[list[Path]] = []
    room = 0
    for file, size in zip(files, sizes, strict=True):
        if not batches or size > room:
            batches.append([])
            room = most
        batches[-1].append(file)
        room -= size
    return batches


def _read(files: Sequence[Path], bounds: Path) -> list[Document | Trouble]:
    found: list[Document | Trouble] = []
    with workspace() as home:
        inputs: dict[str, tuple[Path, bytes]] = {}
        for number, file in enumerate(files):
            try:
                data = intake.read(file, bounds)
            except RenderError as error:
                found.append(Trouble(file, RenderError(error.message, hint=error.hint, code=error.code)))
                continue
            name = f"{number}{file.suffix}"
            (home / name).write_bytes(data)
            inputs[name] = file, data
        lines = parsing.parse_each(home, [parsing.Input(home / name, name) for name in inputs])
        found += [one for line in lines for one in _found(line, inputs)]
    return found


def _found(line: dict[str, Any], inputs: dict[str, tuple[Path, bytes]]) -> Iterator[Document | Trouble]:
    if "tree" in line:
        file, _ = inputs[line["file"]]
        yield Document(file, line["tree"], line["line"], line["document"])
    elif "failed" in line:
        error = line["failed"]
        name, _, row = error.where.partition(":")
        file, data = inputs[name]
        where = f"{file.name}:{row}" if row else file.name
        said = RenderError(error.message, where=where, hint=error.hint, code=error.code)
        yield Trouble(file, said, is_manifest=bool(_MANIFEST.search(data)))
    elif "note" in line:
        yield from _remark(line["note"], inputs)


def _remark(note: str, inputs: dict[str, tuple[Path, bytes]]) -> Iterator[Trouble]:
    """The loader remarks one thing: `duplicate key, the last one counts: 3.yaml:12: name`."""
    what, _, place = note.partition(": ")
    name, _, rest = place.partition(":")
    row, _, key = rest.partition(": ")
    if name in inputs:
        file, _ = inputs[name]
        error = RenderError(f"{what}: {key}", where=f"{file.name}:{row}", hint="remove one of them", code="SS3103")
        yield Trouble(file, error, remark=True)
