"""Owns which charts and kustomizations of a path are rendered, how, and what comes of it. Must not judge objects.

Each chart is rendered with its own values, each kustomization that no other one leads to; where a GitSource in the same
files names the directory, as that says. What a failed kustomization would have deployed is still read, file by file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree, child
from reconciler.render import kustomization
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec, RenderTools, parse_render
from reconciler.source.spec import GitSource
from setscrew.checking.roots import Roots

Location = tuple[str, ...]
_COMPONENT: Final = "Component"


@dataclass(frozen=True, slots=True)
class Declared:
    """An object that the checked files declare: the file, and the line where it begins there (0: unknown).

    `location` is the directory that deploys it, below the checked path; `is_plain`: it stands in `file` as it is.
    `namespace` is that of objects which name none.
    """

    rendered: RenderedObject
    file: Path
    line: int
    location: Location
    namespace: str = ""
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class Root:
    """A directory to render, and how."""

    directory: Path
    spec: RenderSpec
    location: Location


@dataclass(frozen=True, slots=True)
class Kustomizations:
    """The kustomizations of a path by directory, as they are written: those that could be read."""

    trees: Mapping[Path, Tree]

    def tops(self) -> Iterator[Path]:
        """Those that no other one leads to; a component is none."""
        used = {below for one in self.trees for below, is_tree in self._references(one) if is_tree and below != one}
        for one, tree in self.trees.items():
            if one not in used and child(tree, "kind") != _COMPONENT:
                yield one

    def reached(self, top: Path) -> frozenset[Path]:
        """The directories of kustomizations that `top` leads to, itself among them."""
        found, waiting = {top}, [top]
        while waiting:
            for below, is_tree in self._references(waiting.pop()):
                if is_tree and below not in found:
                    found.add(below)
                    waiting.append(below)
        return frozenset(found)

    def files(self, top: Path) -> list[Path]:
        """The manifests that `top` and what it leads to name."""
        named = (file for one in self.reached(top) for file, is_tree in self._references(one) if not is_tree)
        return sorted({file for file in named if file.is_file()})

    def _references(self, directory: Path) -> Iterator[tuple[Path, bool]]:
        """What a kustomization deploys: directories with another one (True), and files."""
        tree = self.trees.get(directory)
        if not isinstance(tree, dict) or any(kustomization.wrong(tree)):
            return  # kustomize says so
        for kind, name in kustomization.references(tree):
            if kind == "tree" and "://" not in name and "\0" not in name:
                path = (directory / name).resolve()
                yield path, path in self.trees


def to_render(
    path: Path, roots: Roots, kustomizations: Kustomizations, sources: Sequence[GitSource], spec: RenderSpec
) -> list[Root]:
    """What is rendered below `path`; `spec` is for what no source names."""
    named = {roots.bounds / one.path for one in sources}
    tops = [*roots.charts, *(one for one in roots.kustomizations if one in {path, *kustomizations.tops(), *named})]
    # A kustomization that cannot be read says so itself.
    tops += [one for one in roots.kustomizations if one not in kustomizations.trees]
    found = []
    for directory in tops:
        location = location_of(directory, path)
        by = [one for one in sources if roots.bounds / one.path == directory]
        for one in by:
            of_source = parse_render(one.render, source=one.name)
            found.append(Root(directory, of_source, (*location, f"@{one.name}") if len(by) > 1 else location))
        if not by:
            own = spec if directory == path else RenderSpec(namespace=spec.namespace)
            found.append(Root(directory, replace(own, source=directory.name), location))
    return found


def location_of(directory: Path, path: Path) -> Location:
    """A directory by its parts below the checked path."""
    return directory.relative_to(path).parts if directory.is_relative_to(path) else ()


def objects_of(root: Root, roots: Roots, tools: RenderTools) -> list[Declared]:
    """What the directory declares. Raises RenderError, UsageError, ToolMissingError."""
    is_chart = root.directory in roots.charts
    # Outside a work tree a kustomization may name bases beside it, as kubectl lets it.
    bounds = roots.bounds if is_chart or (roots.bounds / ".git").exists() else Path(root.directory.anchor)
    result = render(root.directory, root.spec, tools, root=bounds)
    where = (root.location, root.spec.namespace)
    return [
        Declared(one, bounds / one.provenance.file, one.provenance.line, *where, is_plain=False)
        for one in result.objects
    ]


def is_unset_value(error: RenderError) -> bool:
    """True where a chart stops by its own word: mostly for a value that whoever installs it must give."""
    return error.message.startswith("helm failed: ") and "execution error at" in error.message
