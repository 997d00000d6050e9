"""Owns the kustomization that Flux builds: the one in the path, or one made of all YAML below it. Runs in the child.

As Flux's kustomize-controller does: directories with a kustomization of their own are taken as such, nothing below
them is listed; links and what Flux's source leaves out are not seen; an empty path declares nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render import intake
from reconciler.render.detect import KUSTOMIZATION_NAMES, kustomization_file
from reconciler.render.edits import Edits, edited
from reconciler.render.flux import Flux
from reconciler.render.flux_ignore import Ignore
from reconciler.render.kustomization import FIELDS
from reconciler.render.scan import Scan

_SUFFIXES: Final = (".yaml", ".yml")
_ORIGINS: Final = "originAnnotations"


def kustomization(scan: Scan, directory: Path, edits: Edits, flux: Flux) -> Tree:
    """The kustomization that Flux builds for `directory`; `scan` has what it needs then. Raises RenderError."""
    intake.inside(directory, scan.root)
    ignore = Ignore(scan.root, flux.ignore)
    place = directory.relative_to(scan.root).parts
    file, text = kustomization_file(directory), ""
    if file is None or ignore.leaves_out((*place, file.name)):
        file, tree = directory / KUSTOMIZATION_NAMES[0], _generated(directory, scan.root, ignore)
    else:
        found, text = scan.load(file)
        scan.files[file] = None
        tree = _known(found)
    where = scan.shown(file)
    _check_components(edits.components, where)
    tree = edited(tree, edits, where, lambda name: (directory / name).exists())
    if flux.build_metadata:
        tree["buildMetadata"] = list(flux.build_metadata)
    scan.follow(directory, file, tree, text)
    return tree


def _generated(directory: Path, root: Path, ignore: Ignore) -> dict[str, Tree]:
    resources = [f"./{place.relative_to(directory)}" for place in _listed(directory, root, ignore)]
    # kustomize calls a kustomization without any content an error.
    tree: dict[str, Tree] = {"resources": resources} if resources else {"namespace": "_placeholder"}
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **tree}


def _known(tree: dict[str, Tree]) -> dict[str, Tree]:
    # Flux drops the rest without a word, where kustomize itself would refuse it.
    kept = {key: value for key, value in tree.items() if key in FIELDS}
    return kept if kept.get("resources") else {**kept, "buildMetadata": [_ORIGINS]}


def _check_components(components: tuple[str, ...], where: str) -> None:
    for one in components:
        if one.startswith("/") or "://" in one or one.lower().startswith(("git::", "gh:", "git@", "github.com")):
            raise RenderError(f"component {one} is not local and relative", where=where, code="SS3006")


def _listed(directory: Path, root: Path, ignore: Ignore) -> Iterator[Path]:
    """Files and kustomizations below `directory`, each directory in the order of its names."""
    for entry in sorted(os.scandir(directory), key=lambda found: found.name):
        path = Path(entry.path)
        place = path.relative_to(root).parts
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if any((path / name).is_file() and not ignore.leaves_out((*place, name)) for name in KUSTOMIZATION_NAMES):
                yield path
            else:
                yield from _listed(path, root, ignore)
        elif path.suffix in _SUFFIXES and not ignore.leaves_out(place):
            yield path
