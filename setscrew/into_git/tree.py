"""Owns a revision of a source on this machine: its files, what they render to, and the same with files changed.

Reads the state directory's mirror or a person's clone; never a remote, never a work tree. The clock is an argument.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec, RenderTools
from reconciler.snapshot.model import SourceState
from reconciler.source.backend import Revision
from reconciler.source.clone import has_commit
from reconciler.source.git import Git
from reconciler.source.materialise import materialise
from reconciler.source.selection import Selection
from reconciler.source.spec import GitSource
from setscrew.into_git.written import NotAdoptableError

# None: the file goes.
Files = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a source at the enforced commit, below `root`; `spec` says how they are rendered."""

    root: Path
    state: SourceState
    spec: RenderSpec
    tools: RenderTools

    def read(self, file: str) -> bytes:
        """A file of the source. Raises NotAdoptableError where it is none, such as one in a packed chart."""
        path = (self.root / file).resolve()
        if not file or not path.is_relative_to(self.root.resolve()) or not path.is_file():
            hint = "a packed chart, a generator or another repository holds it: change it there"
            raise NotAdoptableError("no file of the source declares it", where=file or self.state.name, hint=hint)
        return path.read_bytes()

    def objects(self) -> tuple[RenderedObject, ...]:
        """What the files declare. Raises RenderError."""
        return render(self.root / self.state.path, self.spec, self.tools, root=self.root).objects

    @contextmanager
    def with_files(self, files: Files) -> Iterator[None]:
        """For as long as it lasts, these files say something else."""
        before = {name: self.root.joinpath(name).read_bytes() for name in files if (self.root / name).is_file()}
        try:
            for name, text in files.items():
                self._write(name, None if text is None else text.encode())
            yield
        finally:
            for name in files:
                self._write(name, before.get(name))

    def _write(self, name: str, data: bytes | None) -> None:
        path = self.root / name
        if data is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@contextmanager
def source_tree(
    state: SourceState, source: GitSource | None, spec: RenderSpec, tools: RenderTools, repository: Path
) -> Iterator[SourceTree]:
    """The source at its enforced commit, out of a repository that holds it. Raises SourceError."""
    revision = Revision(state.name, state.commit, state.commit, mirror=str(repository))
    chosen = Selection(source.paths, source.ignore) if source is not None else Selection()
    with tempfile.TemporaryDirectory(prefix="setscrew-adopt-") as directory:
        root = Path(directory) / "tree"
        materialise(Git(repository.parent), revision, state.path, root, chosen)
        yield SourceTree(root, state, spec, tools)


def repository_of(state: SourceState, clone: Path | None, state_dir: Path) -> Path:
    """Where the enforced commit can be read: in the clone if one is given, else in a mirror. Raises SourceError."""
    if clone is not None:
        if not has_commit(clone, state.commit):
            hint = "git fetch there; --repo takes a clone of the source's repository"
            raise SourceError(f"has not got the enforced commit {state.commit[:12]}", where=str(clone), hint=hint)
        return clone.absolute()
    for mirror in sorted((state_dir / "mirrors").glob("*.git")):
        if has_commit(mirror, state.commit):
            return mirror.absolute()
    hint = "give a clone of the source's repository with --repo DIR"
    raise SourceError(f"no mirror holds commit {state.commit[:12]}", where=str(state_dir), hint=hint)


def by_ref(objects: tuple[RenderedObject, ...], namespace: str, ref: ObjectRef) -> RenderedObject | None:
    """The object of that ref; one that names no namespace stands in the source's."""
    for one in objects:
        own = one.ref
        same = (own.group, own.kind, own.name) == (ref.group, ref.kind, ref.name)
        if same and (own.namespace or (namespace if ref.namespace else "")) == ref.namespace:
            return one
    return None
