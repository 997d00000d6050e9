"""Owns the render child: `python -m reconciler.render.child` reads a job on stdin, prints JSON lines, and ends.

The only process that parses YAML from Git; if a file kills it, its parent sees a dead child. Jobs:
    {"job": "parse", "files": [{"path", "name"}], "comments": bool, "origins": {"root", "entry", "keep"} | null,
     "substitute": {...} | null, "each": bool}
        → {"loader"}, then {"file", "line", "document", "tree"} for each object and {"note"} for each remark; with
          "each", {"failed": {...}} for a file that cannot be read to its end, and the next one
    {"job": "lines", "files": [{"path", "wanted": [...]}]} → {"lines": [...]} for each file
    {"job": "scan", "root", "entry", "edits": {...}, "flux": {...} | null}
        → {"files": [...], "kustomization": {...}, "written": {...}}
    {"job": "chart", "file": {"path", "name"}, "schemas": [...], "packed": [...], "checked": bool} → {"chart": {...}}
An error is one line {"error": {"message", "where", "hint", "code"}} and exit status 3.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from reconciler.errors import RenderError
from reconciler.model.tree import Tree, child
from reconciler.render.archive import Archives
from reconciler.render.chart_schema import check_schema
from reconciler.render.document import Document
from reconciler.render.edits import Edits
from reconciler.render.flux import Flux, Substitution
from reconciler.render.flux_text import substituted
from reconciler.render.flux_tree import kustomization
from reconciler.render.origins import ORIGIN, Origins, origin_file, source_comments
from reconciler.render.scan import Scan
from reconciler.render.value_lines import Wanted, value_lines
from reconciler.render.yaml_loader import LOADER, load_documents

Line = dict[str, Any]
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character in a JSON escape: Go, too, reads U+FFFD


def answer(job: dict[str, Any]) -> Iterator[Line]:
    """The lines that answer `job`. Raises RenderError."""
    if job["job"] == "scan":
        root, edits = Path(job["root"]), msgspec.convert(job["edits"], Edits)
        scan = Scan(root, root / job["entry"], loose=job.get("flux") is not None)
        if job.get("flux") is not None:
            tree = kustomization(scan, root / job["entry"], edits, msgspec.convert(job["flux"], Flux))
        else:
            tree = scan.directory(root / job["entry"], edits)
        files = [str(path.relative_to(root)) for path in scan.files]
        written = {str(path.relative_to(root)): text for path, text in scan.written.items()}
        yield {"files": files, "kustomization": tree, "written": written}
    elif job["job"] == "chart":
        yield {"chart": _chart(job)}
    elif job["job"] == "lines":
        for file in job["files"]:
            wanted = msgspec.convert(file["wanted"], list[Wanted])
            yield {"lines": value_lines(Path(file["path"]).read_bytes(), wanted)}
    else:
        yield {"loader": LOADER}
        for file in job["files"]:
            yield from _each(file, job) if job.get("each") else _parse(file, job)


def _each(file: dict[str, str], job: dict[str, Any]) -> Iterator[Line]:
    try:
        yield from _parse(file, job)
    except RenderError as error:
        yield {"failed": _facts(error)}


def _facts(error: RenderError) -> dict[str, str]:
    return {"message": error.message, "where": error.where, "hint": error.hint, "code": error.code}


def _chart(job: dict[str, Any]) -> Tree:
    """What its Chart.yaml says, if its packed sub-charts and (where Helm checks values) its schemas are harmless."""
    for file in job["schemas"] if job["checked"] else ():
        check_schema(Path(file["path"]).read_bytes(), file["name"])
    archives = Archives(schemas=job["checked"])
    for file in job["packed"]:
        archives.check(Path(file["path"]).read_bytes(), file["name"])
    name = job["file"]["name"]
    documents = list(load_documents(Path(job["file"]["path"]).read_bytes(), name))
    if len(documents) != 1 or not isinstance(documents[0].tree, dict):
        raise RenderError("must be one YAML mapping", where=name, code="SS3001")
    return documents[0].tree


def _parse(file: dict[str, str], job: dict[str, Any]) -> Iterator[Line]:
    data = Path(file["path"]).read_bytes()
    comments = source_comments(data.decode("utf-8", "replace")) if job["comments"] else []
    place = _Place(job["origins"])
    if job.get("substitute") is not None:
        data = substituted(data, msgspec.convert(job["substitute"], Substitution))
    for document in load_documents(data, file["name"]):
        yield from ({"note": f"duplicate key, the last one counts: {text}"} for text in document.duplicates)
        for tree, line in _flatten(document):
            found = {"file": file["name"], "line": line, "document": document.index, "tree": tree}
            source = next((path for at, path in reversed(comments) if at <= document.line), "")
            yield place.of(found, source)


class _Place:
    """Rewrites the place of an object in a renderer's output to its place in Git, where the renderer says it."""

    def __init__(self, settings: dict[str, Any] | None) -> None:
        self._settings = settings
        self._origins = Origins(Path(settings["root"])) if settings else None

    def of(self, found: Line, source: str) -> Line:
        """`found` with `file` and `line` of the origin; line 0 where it is not known."""
        if not self._settings or not self._origins:
            return found
        tree, entry = found["tree"], self._settings["entry"]
        if source:
            file = "/".join(part for part in (entry, source.partition("/")[2]) if part)
        else:
            file, _ = origin_file(tree, entry)
            if not self._settings["keep"]:
                _drop_origin(tree)
        return {**found, "file": file, "line": self._line(tree, file)}

    def _line(self, tree: Tree, file: str) -> int:
        metadata = tree.get("metadata") if isinstance(tree, dict) else None
        if not file or not self._origins or not isinstance(metadata, dict):
            return 0
        return self._origins.line(file, str(tree.get("kind")), str(metadata.get("name")))


def _drop_origin(tree: Tree) -> None:
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("annotations"), dict):
        return
    if metadata["annotations"].pop(ORIGIN, None) is not None and not metadata["annotations"]:
        del metadata["annotations"]


def _flatten(document: Document) -> Iterator[tuple[Tree, int]]:
    """The objects of one document: the entries of any `*List`, else the document itself."""
    tree = document.tree
    items, kind = child(tree, "items"), child(tree, "kind")
    if not isinstance(items, list | None) or not isinstance(kind, str) or not kind.endswith("List"):
        yield tree, document.line
        return
    lines = document.item_lines or (document.line,) * len(items or ())
    for item, line in zip(items or (), lines, strict=False):
        if isinstance(item, dict) and not item.get("kind") and kind != "List":
            item = {"apiVersion": tree.get("apiVersion"), "kind": kind.removesuffix("List"), **item}  # noqa: PLW2901
        yield from _flatten(Document(item, line, document.index))


def main() -> int:
    """Answer the job on stdin; gives the exit status."""
    try:
        for line in answer(json.load(sys.stdin)):
            sys.stdout.buffer.write(row(line))
    except RenderError as error:
        sys.stdout.buffer.write(row({"error": _facts(error)}))
        return 3
    except (MemoryError, RecursionError):
        sys.stdout.buffer.write(row({"error": {"message": "ran out of memory while parsing", "code": "SS3018"}}))
        return 3
    return 0


def row(line: Line) -> bytes:
    """A line as it is printed."""
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SURROGATE.sub("\ufffd", text).encode() + b"\n"


if __name__ == "__main__":
    # It lives for one job, and trees have no cycles: the collector would walk all of them again and again.
    gc.disable()
    sys.exit(main())
