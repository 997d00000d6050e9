"""Owns the parent's side of the render child: sends a job, reads its lines. Never sees YAML itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import process

_PACKAGES = Path(__file__).resolve().parents[2]
# -P: the working directory must not be a place of modules; below it lie files from Git (in a directory whose name
# no import can spell).
_COMMAND = (sys.executable, "-P", "-s", "-m", "reconciler.render.child")
_BOUNDS = process.Limits(memory_bytes=limits.RENDER_MEMORY_BYTES)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to parse: where it lies in the workspace and what messages call it."""

    path: Path
    name: str


def parse(
    home: Path, files: list[Input], *, comments: bool = False, origins: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """The child's lines for `files`: the loader, objects and notes (see reconciler.render.child).

    `comments` reads Helm's `# Source:` comments; `origins` is {"root", "entry", "keep"}: where to look for lines, the
    rendered directory below it, and whether kustomize's origin annotation stays. Raises RenderError.
    """
    named = [{"path": str(file.path), "name": file.name} for file in files]
    yield from _ask(home, {"job": "parse", "files": named, "comments": comments, "origins": origins})


def scan(home: Path, root: Path, entry: str) -> tuple[list[str], dict[str, Any]]:
    """Files (relative to `root`) that the kustomization in `entry` needs, and its tree. Raises RenderError."""
    (line,) = _ask(home, {"job": "scan", "root": str(root), "entry": entry})
    return line["files"], line["kustomization"]


def chart(home: Path, path: Path, name: str) -> dict[str, Any]:
    """The tree of a Chart.yaml. Raises RenderError."""
    (line,) = _ask(home, {"job": "chart", "path": str(path), "name": name})
    tree: dict[str, Any] = line["chart"]
    return tree


def _ask(home: Path, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    done = process.run(
        _COMMAND,
        home=home,
        name="yaml-parser",
        environment={"PYTHONPATH": str(_PACKAGES)},
        stdin=msgspec.json.encode(job),
        bounds=_BOUNDS,
    )
    with done.output.open("rb") as stream:
        for row in stream:
            line = _decode(row)
            if "error" in line:
                raise RenderError(**line["error"])
            yield line
    if done.status:
        last = done.stderr.splitlines()[-1:] or [""]
        raise RenderError(f"the YAML parser failed: {last[0]}", code="SS3003")


def _decode(row: bytes) -> dict[str, Any]:
    try:
        line = msgspec.json.decode(row, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise RenderError("the YAML parser printed no JSON", code="SS3003") from error
    tree = line.get("tree")
    if tree is not None and len(row) > limits.OBJECT_BYTES + limits.KIB:
        place = f"{line.get('file')}:{line.get('line')}"
        raise RenderError(f"an object larger than {limits.OBJECT_BYTES // limits.KIB} KiB", where=place, code="SS3002")
    return line
