"""Owns bringing a person's source into the stage's repository: the real files, and how Setscrew is to render them.

Only what the renderer reads is copied, at the same relative places, so that provenance is that of the source. Must not
render or talk to a cluster.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.render import intake, parsing
from reconciler.render.process import workspace
from setscrew.demo.own_source_plan import Plan

SOURCE: Final = "own"
OVERLAY: Final = "a-overlay"
_EXTRAS: Final = "setscrew-demo"
# They would keep vendored charts out of the stage's repository, or run filters on the way in.
_GIT_FILES: Final = (".gitignore", ".gitattributes")
_KINDS: Final = {"helm": "Helm", "kustomize": "Kustomize", "yaml": "YAML"}


def sources(plan: Plan) -> dict[str, dict[str, Any]]:
    """GitSource specs by name, the overlay first: of two sources that declare an object, the first keeps it."""
    root, entry = _place(plan)
    render: dict[str, Any] = {"kind": _KINDS[plan.kind], "namespace": plan.namespace}
    if plan.kind == "helm":
        up = "/".join([".."] * len(_inside(root, entry).split("/")))
        render["valueFiles"] = [f"{up}/{_EXTRAS}/{_value_name(number)}" for number, _ in enumerate(plan.value_files)]
    if plan.kind == "yaml":
        render["recurse"] = True
    own = {SOURCE: {"path": _inside(root, entry), "render": render}}
    if not plan.softened:
        return own
    return {OVERLAY: {"path": f"{_EXTRAS}/overlay", "render": {"kind": "YAML"}}, **own}


def fill(plan: Plan, work: Path) -> None:
    """Write the source, its values and the overlay into the working copy `work`. Raises RenderError."""
    root, _ = _place(plan)
    intake.copy(_files(plan, root), root, work / (root.name or SOURCE))
    for number, file in enumerate(plan.value_files):
        _write(work / _EXTRAS / _value_name(number), file.read_text())
    for number, one in enumerate(plan.softened):
        _write(work / _EXTRAS / "overlay" / f"webhooks-{number}.yaml", yaml.safe_dump(dict(one.tree), sort_keys=False))


def _place(plan: Plan) -> tuple[Path, str]:
    """The directory that holds all that is read, and the rendered directory below it ("" = the same)."""
    if plan.kind == "kustomize":
        top = os.path.commonpath([plan.directory, *(file.parent for file in _bases(plan.directory))])
        root = Path(top)
        return root, "" if root == plan.directory else str(plan.directory.relative_to(root))
    return (plan.directory if plan.directory.is_dir() else plan.directory.parent), ""


def _inside(root: Path, entry: str) -> str:
    name = root.name or SOURCE
    return f"{name}/{entry}" if entry else name


def _files(plan: Plan, root: Path) -> list[Path]:
    if plan.kind == "kustomize":
        return _bases(plan.directory)
    if plan.directory.is_file():
        return [plan.directory]
    found = intake.walk(plan.directory, root, recurse=True, manifests=plan.kind == "yaml")
    return [file for file in found if file.name not in _GIT_FILES]


def _bases(directory: Path) -> list[Path]:
    """Every file that the kustomization needs, wherever its bases lie."""
    top = Path(directory.anchor)
    with workspace() as home:
        found = parsing.scan(home, top, str(directory.relative_to(top)))
    return [top / file for file in found.files]


def _value_name(number: int) -> str:
    return f"values-{number}.yaml"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
