"""Owns gathering what a path declares: objects, our own documents, and what of it cannot be read or rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError, SetscrewError, UsageError
from reconciler.limits import RENDERS_AT_ONCE
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree
from reconciler.render.detect import KUSTOMIZATION_NAMES
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderSpec, RenderTools
from reconciler.source.spec import GitSource
from setscrew import configuration
from setscrew.checking.finding import Finding, Shown
from setscrew.checking.judging import Fault
from setscrew.checking.own import field_of, is_own, named, profiles_of, read_own
from setscrew.checking.reading import Document, Trouble, read_files
from setscrew.checking.rendering import (
    Declared,
    Kustomizations,
    Location,
    Root,
    is_unset_value,
    location_of,
    objects_of,
    to_render,
)
from setscrew.checking.roots import Roots
from setscrew.checking.worlds import Rivals

_SHAPE: Final = ("apiVersion", "kind")


@dataclass(frozen=True, slots=True)
class Options:
    """What is checked. `context` are more objects of the world; `spec` is how `path` is rendered if it is a chart.

    `tools` finds the renderers: it is asked once there is something to render, since that takes half a second.
    """

    path: Path
    tools: Callable[[], RenderTools]
    context: tuple[RenderedObject, ...] = ()
    spec: RenderSpec = field(default_factory=RenderSpec)


@dataclass(slots=True)
class Gathering:
    """What was found so far: `findings` are those of files, `faults` those of documents of our own."""

    options: Options
    roots: Roots
    declared: list[Declared] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sources: list[GitSource] = field(default_factory=list)
    profiles: list[configuration.Document] = field(default_factory=list)
    rivals: Rivals = field(default_factory=Rivals)
    _shown: Shown = field(init=False)
    _top: Path = field(init=False)

    def __post_init__(self) -> None:
        self.profiles += profiles_of(self.options.context)
        self._shown = Shown(self.options.path)
        self._top = self.options.path.absolute()

    def plain(self, files: Sequence[Path], location: Location | None = None) -> None:
        """Take files of plain YAML; in a repository some are no manifests. `location`: which directory deploys them."""
        found = list(read_files(files, self.roots.bounds))
        documents = [one for one in found if isinstance(one, Document)]
        with_manifests = {one.file for one in documents if _is_manifest(one.tree)}
        at_home = {file.parent for file in with_manifests}
        for trouble in (one for one in found if isinstance(one, Trouble)):
            self._trouble(trouble, trouble.is_manifest or trouble.file.parent in at_home)
        for own in (one for one in documents if is_own(one.tree)):  # first: a source says how others are to be read
            self._take(own, self._place(own.file, location))
        places = {file: self._place(file, location) for file in with_manifests | {self._top}}
        for one in (one for one in documents if not is_own(one.tree)):
            if one.file == self._top or _is_manifest(one.tree):
                self._take(one, places[one.file])
            elif one.file.parent in at_home:
                hint = "a source of this directory would be refused: keep what is no manifest elsewhere"
                error = RenderError("no manifest", where=f"{one.file.name}:{one.line}", hint=hint, code="SS3007")
                self.findings.append(self._shown.error(error, one.file, severity="warning"))

    def _trouble(self, one: Trouble, is_manifest: bool) -> None:
        is_sure = (is_manifest or one.file == self._top) and not one.remark
        self.findings.append(self._shown.error(one.error, one.file, severity="error" if is_sure else "warning"))

    def render(self) -> int:
        """Take what charts and kustomizations declare; how many were rendered."""
        kustomizations = Kustomizations(self._trees())
        wanted = to_render(self._top, self.roots, kustomizations, self.sources, self.options.spec)
        first: dict[Path, Root] = {}
        for root in (one for one in wanted if one.directory in kustomizations.trees):
            for base in kustomizations.reached(root.directory):
                self.rivals.part(first.setdefault(base, root).location, root.location)
        if not wanted:
            return 0
        rendered = partial(self._rendered, self.options.tools())
        with ThreadPoolExecutor(RENDERS_AT_ONCE) as pool:
            results = list(pool.map(rendered, wanted))
        for root, result in zip(wanted, results, strict=True):
            if isinstance(result, list):
                self.declared += [one for one in result if not is_own(one.rendered.tree)]
                self._own(one for one in result if is_own(one.rendered.tree))
            else:
                self._failed(root, result, kustomizations)
        return len(wanted)

    def _trees(self) -> dict[Path, Tree]:
        """The kustomizations as they are written; what is wrong with one is said by whoever renders it."""
        files = [one / name for one in self.roots.kustomizations for name in KUSTOMIZATION_NAMES]
        found = read_files([file for file in files if file.is_file()], self.roots.bounds)
        return {one.file.parent: one.tree for one in found if isinstance(one, Document)}

    def _rendered(self, tools: RenderTools, root: Root) -> list[Declared] | SetscrewError:
        try:
            return objects_of(root, self.roots, tools)
        except UsageError:
            raise  # helm is missing: that is nothing of the files
        except SetscrewError as error:
            return error

    def _failed(self, root: Root, error: SetscrewError, kustomizations: Kustomizations) -> None:
        is_chart = root.directory in self.roots.charts
        main = next((one for one in root.directory.iterdir() if one.name in _MAIN), root.directory)
        # A chart that wants values or a namespace may be well: whoever installs it gives them.
        given = bool(root.spec.value_files or root.spec.values or root.spec.namespace)
        is_open = is_chart and not given and isinstance(error, RenderError) and is_unset_value(error)
        self.findings.append(self._shown.error(error, main, self.roots.bounds, "warning" if is_open else "error"))
        if not is_chart:
            self.plain(kustomizations.files(root.directory), root.location)

    def _place(self, file: Path, location: Location | None) -> _Place:
        where = location_of(file.parent, self._top) if location is None else location
        return _Place(self._shown.name(file), where, self._namespace(file))

    def _take(self, one: Document, place: _Place) -> None:
        collector = Collector(_SPEC, "yaml")
        tree = named(one.tree, one.file.stem) if is_own(one.tree) else one.tree
        try:
            collector.take([{"tree": tree, "file": place.name, "line": one.line, "document": one.number}])
        except RenderError as error:
            said = RenderError(error.message, where=f"{one.file.name}:{one.line}", hint=error.hint, code=error.code)
            self.findings.append(self._shown.error(said, one.file))
            return
        for rendered in collector.objects:
            declared = Declared(rendered, one.file, one.line, place.location, place.namespace)
            if is_own(one.tree):
                self._own([declared])
            else:
                self.declared.append(declared)

    def _namespace(self, file: Path) -> str:
        """That of the source which names the directory of the file, else the caller's."""
        by = [one for one in self.sources if one.path and file.is_relative_to(self.roots.bounds / one.path)]
        named = [str(one.render.get("namespace") or "") for one in by]
        return next(filter(None, named), self.options.spec.namespace)

    def _own(self, documents: Iterable[Declared]) -> None:
        for one in documents:
            try:
                source = read_own(one.rendered.tree, self.profiles)
            except UsageError as error:
                message = f"{error.where}: {error.message}".lstrip(".: ")
                fix = error.hint or "correct the field: docs/reference/policy.md has them all"
                self.faults.append(Fault(error.code, "error", one, message, fix, field_of(error)))
            else:
                self.sources += [source] if source is not None else []
                self.profiles += profiles_of([one.rendered])


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of plain YAML: how it is called, the directory that deploys it, the namespace of what names none."""

    name: str
    location: Location
    namespace: str


_SPEC: Final = RenderSpec()
_MAIN: Final = ("Chart.yaml", *KUSTOMIZATION_NAMES)


def _is_manifest(tree: Tree) -> bool:
    return isinstance(tree, dict) and any(key in tree for key in _SHAPE)
