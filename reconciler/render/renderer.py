"""Owns the one door to rendering: a directory in, objects with their places out. Must not parse or know a cluster."""

from __future__ import annotations

from pathlib import Path

from reconciler.errors import RenderError
from reconciler.render.detect import Renderer, detect
from reconciler.render.helm import render_helm
from reconciler.render.kustomize import render_kustomize
from reconciler.render.plain import render_plain
from reconciler.render.process import workspace
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools

_RENDERERS: dict[str, Renderer] = {"YAML": "yaml", "Kustomize": "kustomize", "Helm": "helm"}


def render(directory: Path, spec: RenderSpec, tools: RenderTools, *, root: Path | None = None) -> RenderResult:
    """The objects that `directory` (or one manifest file) declares.

    `root` bounds what may be read: bases of a kustomization, targets of links, value files. Without it that is the
    Git work tree around the directory; outside any, the directory itself, and for a kustomization whatever directories
    its bases name. Files in provenance are relative to the root if given or found, else to the directory.
    Raises RenderError: what failed, with file and line where known; ToolMissingError when a renderer cannot start.
    """
    kind = detect(directory) if spec.kind == "Auto" else _RENDERERS[spec.kind]
    directory = directory.resolve()
    if not directory.exists():
        raise RenderError("no such file or directory", where=str(directory), hint="check the path", code="SS3004")
    bounds = (root or _work_tree(directory) or _alone(directory, kind)).resolve()
    if not directory.is_relative_to(bounds):
        raise RenderError("leads out of the source", where=str(directory), code="SS3005")
    with workspace() as home:
        if kind == "helm":
            return render_helm(directory, bounds, spec, tools.helm, home)
        if kind == "kustomize":
            return render_kustomize(directory, bounds, spec, tools.kubectl, home)
        return render_plain(directory, bounds, spec, home)


def _work_tree(directory: Path) -> Path | None:
    return next((place for place in (directory, *directory.parents) if (place / ".git").exists()), None)


def _alone(directory: Path, kind: Renderer) -> Path:
    if kind == "kustomize":
        return Path(directory.anchor)
    return directory if directory.is_dir() else directory.parent
