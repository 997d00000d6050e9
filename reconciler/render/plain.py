"""Owns rendering a directory (or one file) of plain manifests. Parsing happens in the child."""

from __future__ import annotations

from pathlib import Path

from reconciler.render import intake, parsing
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderResult, RenderSpec


def render_plain(path: Path, root: Path, spec: RenderSpec, home: Path) -> RenderResult:
    """Objects of the manifests in `path`, in the order of file names. Raises RenderError."""
    copy = home / "render-input"
    recurse = spec.recurse and path.is_dir()
    files = [path] if path.is_file() else list(intake.walk(path, root, recurse=recurse, manifests=True))
    intake.copy(files, root, copy)
    inputs = [parsing.Input(copy / file.relative_to(root), str(file.relative_to(root))) for file in files]
    collector = Collector(spec, "yaml")
    collector.take(parsing.parse(home, inputs))
    if not files and path.is_dir():
        collector.notes.append("no *.yaml, *.yml or *.json here; `recurse: true` reads sub-directories too")
    return RenderResult(tuple(collector.objects), tuple(collector.notes), "yaml", collector.loader)
