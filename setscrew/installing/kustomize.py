"""Owns the shipped manifests: where they lie, and their rendering. Must not know what is done with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import yaml

from reconciler.errors import RenderError, ToolMissingError, UsageError
from setscrew.installing.objects import Document

_SECONDS: Final = 60


def manifests() -> Path:
    """The shipped manifests: beside the package in a wheel, at the top of a checkout. Raises UsageError."""
    here = Path(__file__).resolve().parents[1]
    found = next((path for path in (here / "_manifests", here.parent / "manifests") if path.is_dir()), None)
    if found is None:
        raise UsageError("the shipped manifests are missing", where=str(here), hint="install Setscrew again")
    return found


def overlays() -> list[str]:
    """The names that `rendered` knows."""
    return sorted(path.parent.name for path in (manifests() / "overlays").glob("*/kustomization.yaml"))


def rendered(overlay: str) -> list[Document]:
    """The objects of one overlay. Raises UsageError, ToolMissingError, RenderError."""
    if overlay not in overlays():
        raise UsageError(f"no overlay is named {overlay!r}", where="--overlay", hint=f"one of {', '.join(overlays())}")
    return _rendered(manifests() / "overlays" / overlay)


def everything() -> list[Document]:
    """The objects of all overlays, each once: what one of them may have left in a cluster."""
    found: dict[tuple[str, str, str, str], Document] = {}
    for overlay in overlays():
        for tree in rendered(overlay):
            metadata = tree["metadata"]
            key = (tree["apiVersion"], tree["kind"], metadata.get("namespace", ""), metadata["name"])
            found.setdefault(key, tree)
    return list(found.values())


def _rendered(directory: Path) -> list[Document]:
    try:
        done = subprocess.run(
            [*_program(), str(directory)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RenderError(f"kustomize does not run: {type(error).__name__}", where=str(directory)) from error
    if done.returncode:
        words = " ".join(done.stderr.split())[-300:]
        raise RenderError(f"the shipped manifests cannot be rendered: {words}", where=str(directory))
    return [tree for tree in yaml.load_all(done.stdout, _LOADER) if tree]


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _program() -> list[str]:
    """Any kubectl or kustomize will do: the manifests keep to what all of them know."""
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    from setscrew.controlplane import find

    if built := find("kubectl"):
        return [str(built), "kustomize"]
    raise ToolMissingError("neither kubectl nor kustomize is there", hint="install kubectl, and have it in PATH")
