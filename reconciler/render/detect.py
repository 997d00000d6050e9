"""Owns telling what a directory is: chart, kustomization or plain manifests. Looks at names only, never inside."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from reconciler.errors import RenderError

Renderer = Literal["helm", "kustomize", "yaml"]
KUSTOMIZATION_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MANIFEST_SUFFIXES: Final = (".yaml", ".yml", ".json")


def detect(path: Path) -> Renderer:
    """What renders `path`, by the rule of Argo CD: Chart.yaml, else a kustomization, else plain YAML.

    A file is plain YAML. Raises RenderError when nothing is there.
    """
    if path.is_file():
        return "yaml"
    if not path.is_dir():
        raise RenderError("no such file or directory", where=str(path), hint="check the path", code="SS3004")
    if (path / "Chart.yaml").is_file():
        return "helm"
    return "kustomize" if kustomization_file(path) else "yaml"


def kustomization_file(directory: Path) -> Path | None:
    """The kustomization of `directory`, or None. Two of them are an error, as for kustomize."""
    found = [directory / name for name in KUSTOMIZATION_NAMES if (directory / name).is_file()]
    if len(found) > 1:
        raise RenderError("more than one kustomization file", where=str(directory), code="SS3004")
    return found[0] if found else None
