"""Owns the one door to rendering: a directory in, objects with their places out. Must not parse or know a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from reconciler.errors import RenderError
from reconciler.render.detect import Renderer, detect
from reconciler.render.encrypted import held_by_keys
from reconciler.render.flux import check_there
from reconciler.render.helm import render_helm
from reconciler.render.helm_values import Places
from reconciler.render.kustomize import render_kustomize
from reconciler.render.plain import render_plain
from reconciler.render.process import workspace
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools

_RENDERERS: dict[str, Renderer] = {"YAML": "yaml", "Kustomize": "kustomize", "Helm": "helm"}


def render(
    directory: Path,
    spec: RenderSpec,
    tools: RenderTools,
    *,
    root: Path | None = None,
    beside: Mapping[str, Path] = MappingProxyType({}),
    checked: bool = False,
) -> RenderResult:
    """The objects that `directory` (or one manifest file) declares.

    `root` bounds what may be read: bases of a kustomization, targets of links, value files. Without it that is the
    Git work tree around the directory; outside any, the directory itself, and for a kustomization whatever directories
    its bases name. Files in provenance are relative to the root if given or found, else to the directory. `beside` are
    directories of other repositories, by the name under which value files call them. `checked`: `root` was written for
    this render alone, as regular files within the limits of input, so plain manifests need no copy of their own.
    Raises RenderError: what failed, with file and line where known; ToolMissingError when a renderer cannot start.
    """
    kind = detect(directory) if spec.kind == "Auto" else _RENDERERS[spec.kind]
    directory = directory.resolve()
    if not directory.exists():
        raise RenderError("no such file or directory", where=str(directory), hint="check the path", code="SS3004")
    bounds = (root or work_tree(directory) or _alone(directory, kind)).resolve()
    if not directory.is_relative_to(bounds):
        raise RenderError("leads out of the source", where=str(directory), code="SS3005")
    check_there(spec.flux)
    try:
        result = _rendered(kind, directory, bounds, spec, tools, beside, checked)
    except RenderError as error:
        message, where, hint = (_blotted(text, spec) for text in (error.message, error.where, error.hint))
        raise RenderError(message, where=where, hint=hint, code=error.code) from None
    objects, notes = held_by_keys(result.objects)
    return replace(result, objects=objects, notes=tuple(_blotted(note, spec) for note in (*result.notes, *notes)))


def _rendered(
    kind: Renderer,
    directory: Path,
    bounds: Path,
    spec: RenderSpec,
    tools: RenderTools,
    beside: Mapping[str, Path],
    checked: bool,
) -> RenderResult:
    for name in spec.unread:
        if (directory / name).exists():
            hint = "write its content into the definition of the source"
            raise RenderError(f"{name} changes what is rendered and is not read", where=name, hint=hint, code="SS3006")
    with workspace() as home:
        if kind == "helm":
            return render_helm(Places(directory, bounds, beside), spec, tools, home)
        if kind == "kustomize":
            return render_kustomize(directory, bounds, spec, tools.kubectl, home)
        return render_plain(directory, bounds, spec, home, checked=checked)


def _blotted(text: str, spec: RenderSpec) -> str:
    """Without values of Secrets: what is made with them is parsed like all else, and messages quote names and keys."""
    for secret in sorted(spec.flux.secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def work_tree(directory: Path) -> Path | None:
    """The top of the Git repository that a directory is in; None where it is in none."""
    return next((place for place in (directory, *directory.parents) if (place / ".git").exists()), None)


def _alone(directory: Path, kind: Renderer) -> Path:
    if kind == "kustomize":
        return Path(directory.anchor)
    return directory if directory.is_dir() else directory.parent
