"""Owns the reading of one source, step by step: resolve, fetch, verify, materialise, render. Keeps nothing.

Each step raises a SetscrewError of its own code, and then what was good before stays: `reconciler.loop.sources`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from reconciler.errors import RenderError, SourceError
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree
from reconciler.render.cache import RenderCache
from reconciler.render.detect import KUSTOMIZATION_NAMES
from reconciler.render.renderer import render
from reconciler.render.spec import Capabilities, RenderResult, RenderSpec, RenderTools, parse_render
from reconciler.report.item import public_url
from reconciler.snapshot.model import SourceState
from reconciler.source.backend import Head, Revision
from reconciler.source.git import Git
from reconciler.source.ids import has_links, object_ids
from reconciler.source.materialise import materialise
from reconciler.source.reach import reach
from reconciler.source.secret import Secrets, no_secrets
from reconciler.source.selection import Selection
from reconciler.source.signature import gate
from reconciler.source.spec import GitSource


def _unheard() -> None:
    """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What the ref of a source names at its remote, and those of the repositories beside it, by name."""

    own: Head
    beside: tuple[tuple[str, Head], ...] = ()


@dataclass(frozen=True, slots=True)
class Good:
    """What a source declared when it last could be read; `told` is what its chart was told about the cluster.

    It was read by the definition `source` at `heads`. `fetch_seconds` is how long Git took.
    """

    state: SourceState
    spec: RenderSpec
    objects: tuple[RenderedObject, ...]
    notes: tuple[str, ...]
    told: Capabilities | None
    source: GitSource
    heads: Heads
    revision: Revision
    fetch_seconds: float

    @property
    def log(self) -> tuple[tuple[str, str], ...]:
        """Its commit and what its branch was before, newest first, with subjects, as far as the mirror goes."""
        return self.revision.log


@dataclass(slots=True)
class Reader:
    """Reads sources with these tools. `mirrors` holds the bare mirrors; `allow_local` lets file URLs in."""

    tools: RenderTools
    mirrors: Path
    allow_local: bool = False
    secrets: Secrets = no_secrets
    cache: RenderCache | None = None
    git: Git = field(init=False)

    def __post_init__(self) -> None:
        self.git = Git(self.mirrors, self.allow_local, self.secrets)

    def heads(self, source: GitSource, since: float | None = None) -> Heads:
        """What the refs of the source, and of those beside it, name at their remotes. Raises SourceError.

        An answer that was asked for at `since` (monotonic) or later will do.
        """
        beside = tuple((name, self.git.resolve(other, since)) for name, other in source.beside)
        return Heads(self.git.resolve(source, since), beside)

    def read(
        self,
        source: GitSource,
        heads: Heads,
        cluster: Capabilities,
        last: SourceState | None = None,
        verified: Callable[[], None] = _unheard,
    ) -> Good:
        """The newest revision, fetched, verified and rendered. `last` is what was good before.

        `verified` is called when a revision that must be signed has been found to be.
        Raises SourceError, RenderError, UsageError.
        """
        started = time.monotonic()
        revision = self.git.fetch(source, heads.own, last=_before(last, heads.own))
        others = dict(heads.beside)
        beside = {name: self.git.fetch(other, others[name]) for name, other in source.beside}
        fetched = time.monotonic() - started
        signed = gate.check(source, heads.own, revision, _accepted(last, source), self.git, self.secrets)
        for name, other in source.beside:
            gate.check(other, others[name], beside[name], "", self.git, self.secrets)
        if source.verify.mode:
            verified()
        spec = parse_render(source.render, source=source.name, revision=revision.text).on(cluster)
        spec = replace(spec, beside=tuple((name, one.commit) for name, one in beside.items()))
        result = self._rendered(source, revision, spec, beside)
        state = SourceState(
            name=source.name,
            url=public_url(source.url),
            path=source.path,
            revision=revision.text,
            commit=revision.commit,
            subject=revision.subject,
            signer=str(signed.signer),
            release=result.release,
            namespace=spec.namespace or "default",
            adopter=source.adopted_by,
        )
        told = cluster if result.kind == "helm" else None
        notes = (*source.remarks, *signed.notes, *result.notes)
        return Good(state, spec, result.objects, notes, told, source, heads, revision, fetched)

    def at(self, commit: str, good: Good) -> tuple[RenderedObject, ...]:
        """What the source declared at a commit that the mirror holds, too. Raises SourceError, RenderError."""
        revision = replace(good.revision, commit=commit, tag="")
        gate.check_passed(good.source, revision, self.secrets)
        return self._rendered(good.source, revision, replace(good.spec, revision=revision.text), {}).objects

    def _rendered(
        self, source: GitSource, revision: Revision, spec: RenderSpec, beside: Mapping[str, Revision]
    ) -> RenderResult:
        """What the revision declares, rendered only where something of what it reads has changed."""
        if self.cache is None:
            return self._fresh(source, revision, spec, beside)
        mirror = Path(revision.mirror)
        # What is left out of the repository changes what is rendered as much as who renders it.
        tools = f"{self.tools.identity()} {source.paths} {source.ignore}"
        ids = partial(object_ids, mirror, revision.commit)
        result = self.cache.get(source.path, spec, tools, ids)
        if result is None:
            result = self._fresh(source, revision, spec, beside)
            if has_links(mirror, revision.commit, source.path):
                result = replace(result, outside=("",))
            self.cache.put(source.path, spec, tools, ids, result)
        return result

    def _fresh(
        self, source: GitSource, revision: Revision, spec: RenderSpec, beside: Mapping[str, Revision]
    ) -> RenderResult:
        """A render of what the source seems to need of its repository, and if that fails, of all of it."""
        if not has_links(Path(revision.mirror), revision.commit, source.path):
            near = reach(self.git, revision, source.path, KUSTOMIZATION_NAMES, _texts(source.render))
            try:
                return self._with(near, source, revision, spec, beside)
            except RenderError:
                if "" in near:
                    raise
        return self._with(("",), source, revision, spec, beside)

    def _with(
        self,
        near: Collection[str],
        source: GitSource,
        revision: Revision,
        spec: RenderSpec,
        beside: Mapping[str, Revision],
    ) -> RenderResult:
        with tempfile.TemporaryDirectory(prefix="setscrew-source-") as directory:
            root = Path(directory) / "tree"
            notes = materialise(self.git, revision, source.path, root, Selection(source.paths, source.ignore), near)
            places = {name: Path(directory) / "beside" / name for name in beside}
            for name, other in beside.items():
                only = dict(source.beside)[name].paths
                try:
                    materialise(self.git, other, "", places[name], Selection(only, strictly=bool(only)))
                except SourceError:  # what they are links to is not among them
                    materialise(self.git, other, "", places[name])
            result = render(root / source.path, spec, self.tools, root=root, beside=places, checked=True)
            return replace(result, notes=(*notes, *result.notes))


def _texts(tree: Tree) -> Iterator[str]:
    """All strings in a tree: some of them are names of files."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping | list | tuple):
        for value in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _texts(value)


def _before(last: SourceState | None, head: Head) -> str:
    """The commit that was good before, if it was found by the same ref: of another, nothing follows from it."""
    if last is None or last.revision.rpartition("@")[0] not in {head.name, "HEAD"}:
        return ""
    return last.commit


def _accepted(last: SourceState | None, source: GitSource) -> str:
    """The commit that was good before, of whatever ref: of another repository, nothing follows from it."""
    return last.commit if last is not None and last.url == public_url(source.url) else ""
