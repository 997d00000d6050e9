"""Owns rendering a directory (or one file) of plain manifests. Parsing happens in the child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError
from reconciler.render import glob, intake, parsing
from reconciler.render.detect import MANIFEST_SUFFIXES
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderResult, RenderSpec

_SKIP: Final = b"+argocd:skip-file-rendering"
_OBJECT: Final = (b"apiVersion", b"kind")
_EVALUATED: Final = (".jsonnet",)


def render_plain(path: Path, root: Path, spec: RenderSpec, home: Path, *, checked: bool) -> RenderResult:
    """Objects of the manifests in `path`, in the order of file names; `checked` as for `render`. Raises RenderError."""
    files = [path] if path.is_file() else list(_chosen(path, root, spec))
    copy = root
    if not checked:
        copy = home / "render-input"
        intake.copy(files, root, copy)
    collector = Collector(spec, "yaml")
    inputs = [parsing.Input(copy / file.relative_to(root), str(file.relative_to(root))) for file in files]
    if spec.tool == "ArgoCD":
        inputs, collector.notes = _manifests(inputs)
    collector.take(parsing.parse(home, inputs))
    if not files and path.is_dir():
        collector.notes.append("no *.yaml, *.yml or *.json here; `recurse: true` reads sub-directories too")
    return RenderResult(tuple(collector.objects), tuple(collector.notes), "yaml", collector.loader)


def _chosen(path: Path, root: Path, spec: RenderSpec) -> Iterator[Path]:
    """The manifests in the directory that `include` and `exclude` leave. Raises RenderError for what is evaluated."""
    include = glob.compiled(spec.include, "spec.render.include") if spec.include else None
    exclude = glob.compiled(spec.exclude, "spec.render.exclude") if spec.exclude else None
    for file in intake.walk(path, root, recurse=spec.recurse, manifests=spec.tool != "ArgoCD"):
        name = str(file.relative_to(path))
        if (include and not include.fullmatch(name)) or (exclude and exclude.fullmatch(name)):
            continue
        if file.suffix in _EVALUATED:
            hint = "render it to YAML in the repository, or exclude it"
            raise RenderError("jsonnet is not evaluated", where=str(file.relative_to(root)), hint=hint, code="SS3006")
        if file.suffix in MANIFEST_SUFFIXES:
            yield file


def _manifests(inputs: list[parsing.Input]) -> tuple[list[parsing.Input], list[str]]:
    """The files that Argo CD takes for manifests, and a note on each other one."""
    taken, notes = list[parsing.Input](), list[str]()
    for one in inputs:
        text = one.path.read_bytes()
        if _SKIP in text:
            notes.append(f"passed over: {one.name} is marked {_SKIP.decode()}")
        elif one.path.suffix != ".json" and not all(word in text for word in _OBJECT):
            notes.append(f"passed over: {one.name} holds no manifest")
        else:
            taken.append(one)
    return taken, notes
