"""Owns the parent's side of the render child: sends a job, reads its lines. Never sees YAML itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import process
from reconciler.render.chart_schema import NAME as SCHEMA
from reconciler.render.edits import NO_EDITS, Edits
from reconciler.render.flux import Flux, Substitution
from reconciler.render.value_lines import Wanted

_PACKAGES = Path(__file__).resolve().parents[2]
# -P: the working directory must not be a place of modules; below it lie files from Git (in a directory whose name
# no import can spell).
_COMMAND = (sys.executable, "-P", "-s", "-m", "reconciler.render.child")
_BOUNDS = process.Limits(address_bytes=limits.RENDER_MEMORY_BYTES)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to parse: where it lies in the workspace and what messages call it."""

    path: Path
    name: str


def parse(
    home: Path,
    files: list[Input],
    *,
    comments: bool = False,
    origins: dict[str, Any] | None = None,
    substitute: Substitution | None = None,
) -> Iterator[dict[str, Any]]:
    """The child's lines for `files`: the loader, objects and notes (see reconciler.render.child).

    `comments` reads Helm's `# Source:` comments; `origins` is {"root", "entry", "keep"}: where to look for lines, the
    rendered directory below it, and whether kustomize's origin annotation stays. `substitute` are variables that are
    replaced first. Raises RenderError.
    """
    named = [{"path": str(file.path), "name": file.name} for file in files]
    job = {"job": "parse", "files": named, "comments": comments, "origins": origins, "substitute": substitute}
    yield from _ask(home, job)


def parse_each(home: Path, files: Sequence[Input]) -> Iterator[dict[str, Any]]:
    """As `parse`, but a file that cannot be read is a line {"failed": RenderError}, and hides nothing of the others."""
    named = [{"path": str(file.path), "name": file.name} for file in files]
    job = {"job": "parse", "files": named, "comments": False, "origins": None, "each": True}
    try:
        lines = list(_ask_leniently(home, job))
    except RenderError as error:
        if len(files) == 1:
            yield {"failed": RenderError(error.message, where=files[0].name, hint=error.hint, code=error.code)}
            return
        middle = len(files) // 2  # one of them kills the child: which one?
        lines = [line for half in (files[:middle], files[middle:]) for line in parse_each(home, half)]
    yield from lines


def value_lines(home: Path, wanted: Mapping[Path, Sequence[Wanted]]) -> list[list[int]]:
    """The lines of values in each file, as `reconciler.render.value_lines` finds them. Raises RenderError."""
    files = [{"path": str(path), "wanted": list(values)} for path, values in wanted.items()]
    return [line["lines"] for line in _ask(home, {"job": "lines", "files": files})]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Files that a kustomization needs, its tree, and what some files are to say when it is built, as they were read.

    Names are relative to the root of the scan.
    """

    files: list[str]
    kustomization: dict[str, Any]
    written: dict[str, str]


def scan(home: Path, root: Path, entry: str, edits: Edits = NO_EDITS, flux: Flux | None = None) -> Scanned:
    """The kustomization in `entry`, edited, with all that it leads to. With `flux` it is the one that Flux would build.

    Raises RenderError.
    """
    (line,) = _ask(home, {"job": "scan", "root": str(root), "entry": entry, "edits": edits, "flux": flux})
    return Scanned(**line)


def chart(home: Path, place: Path, entry: Path, *, checked: bool) -> dict[str, Any]:
    """The tree of the Chart.yaml in `place`, which messages call `entry`.

    Raises RenderError for it, for packed sub-charts that Helm must not see, and, where Helm will check values
    (`checked`), for schemas that refer to what is not in them.
    """

    def named(pattern: str) -> list[dict[str, str]]:
        found = sorted(file for file in place.rglob(pattern) if file.is_file())
        return [{"path": str(file), "name": str(entry / file.relative_to(place))} for file in found]

    file = {"path": str(place / "Chart.yaml"), "name": str(entry / "Chart.yaml")}
    job = {"job": "chart", "file": file, "schemas": named(SCHEMA), "packed": named("charts/*.tgz"), "checked": checked}
    (line,) = _ask(home, job)
    tree: dict[str, Any] = line["chart"]
    return tree


def _ask(home: Path, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The child's lines. Raises RenderError."""
    for row in _rows(home, job):
        line = decode(row)
        if "error" in line:
            raise RenderError(**line["error"])
        yield line


def _ask_leniently(home: Path, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The child's lines, what is wrong with a file among them. Raises RenderError where it is the child's end."""
    for row in _rows(home, job):
        try:
            line = decode(row)
        except RenderError as error:
            line = {"failed": error}
        if "error" in line:
            raise RenderError(**line["error"])
        yield {"failed": RenderError(**line["failed"])} if isinstance(line.get("failed"), dict) else line


def _rows(home: Path, job: dict[str, Any]) -> Iterator[bytes]:
    done = process.run(
        _COMMAND,
        home=home,
        name="yaml-parser",
        environment={"PYTHONPATH": str(_PACKAGES)},
        stdin=msgspec.json.encode(job),
        bounds=_BOUNDS,
    )
    with done.output.open("rb") as stream:
        yield from stream
    if done.status:
        last = done.stderr.splitlines()[-1:] or [""]
        raise RenderError(f"the YAML parser failed: {last[0]}", code="SS3003")


def decode(row: bytes) -> dict[str, Any]:
    """A line of the child. Raises RenderError for what is none, or an object that is too large."""
    try:
        line = msgspec.json.decode(row, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise RenderError("the YAML parser printed no JSON", code="SS3003") from error
    tree = line.get("tree")
    if tree is not None and len(row) > limits.OBJECT_BYTES + limits.KIB:
        place = f"{line.get('file')}:{line.get('line')}"
        raise RenderError(f"an object larger than {limits.OBJECT_BYTES // limits.KIB} KiB", where=place, code="SS3024")
    return line
