"""Owns asking a renderer for its version, once per binary. Must not render."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reconciler.errors import RenderError
from reconciler.render import process

_KNOWN: dict[tuple[str, float], str] = {}
_QUICK = process.Limits(wall_seconds=20, cpu_seconds=10)


def helm_version(helm: Path, home: Path) -> str:
    """`helm v4.3.1`."""
    return _ask(helm, ["version", "--template", "helm {{.Version}}"], home, "helm-version")


def kustomize_version(kubectl: Path, home: Path) -> str:
    """`kustomize v5.8.1`, as built into kubectl."""
    text = _ask(kubectl, ["version", "--client", "--output=json"], home, "kubectl-version")
    try:
        return f"kustomize {msgspec.json.decode(text)['kustomizeVersion']}"
    except (msgspec.DecodeError, KeyError, TypeError):
        return "kustomize"


def _ask(tool: Path, arguments: list[str], home: Path, name: str) -> str:
    key = (str(tool), tool.stat().st_mtime)
    if key not in _KNOWN:
        done = process.run([str(tool), *arguments], home=home, name=name, bounds=_QUICK)
        if done.status:
            raise RenderError(f"cannot tell its version: {done.stderr}", where=str(tool))
        _KNOWN[key] = done.output.read_text("utf-8", "replace").strip()
    return _KNOWN[key]
