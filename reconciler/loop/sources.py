"""Owns the last good objects of each source: renders what is new, keeps what was good. Must not canonicalize."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.errors import InternalError, RenderError, SetscrewError, UsageError
from reconciler.model.objects import RenderedObject
from reconciler.render.renderer import render
from reconciler.render.spec import NO_CLUSTER, Capabilities, RenderResult, RenderSpec, RenderTools, parse_render
from reconciler.report.item import public_url
from reconciler.snapshot.model import SourceState
from reconciler.source import git
from reconciler.source.materialise import materialise
from reconciler.source.spec import GitSource
from reconciler.store.sources import SourceCondition, SourceStatus

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Good:
    """What a source declared when it last could be read; `told` is what its chart was told about the cluster.

    `log` is its commit and what its branch was before, newest first, with subjects, as far as the mirror goes.
    """

    state: SourceState
    spec: RenderSpec
    objects: tuple[RenderedObject, ...]
    notes: tuple[str, ...] = ()
    told: Capabilities | None = None
    log: tuple[tuple[str, str], ...] = ()


def _unheard(_: str) -> None:
    """Nobody asks."""


@dataclass(slots=True)
class Sources:
    """All sources of one installation. `mirrors` holds one bare mirror a source; `allow_local` lets file URLs in.

    `cluster` is what charts are told; they are rendered anew when it changes.
    """

    configured: tuple[GitSource, ...]
    tools: RenderTools
    mirrors: Path
    allow_local: bool = False
    cluster: Capabilities = NO_CLUSTER
    good: dict[str, Good] = field(default_factory=dict)
    status: dict[str, SourceStatus] = field(default_factory=dict)
    _reading: dict[str, threading.Lock] = field(init=False)

    def __post_init__(self) -> None:
        self._reading = {source.name: threading.Lock() for source in self.configured}

    def named(self, names: Iterable[str] = ()) -> list[str]:
        """These names, or all. Raises UsageError for one that is not configured."""
        known = [source.name for source in self.configured]
        wanted = list(names) or known
        if strange := [name for name in wanted if name not in known]:
            raise UsageError(f"no source is named {strange[0]!r}", hint=f"configured are: {', '.join(known) or 'none'}")
        return wanted

    def goods(self) -> dict[str, Good]:
        """What could be read, in the order of the configuration."""
        good = dict(self.good)
        return {name: good[name] for name in self.named() if name in good}

    def refresh(
        self,
        names: Iterable[str] = (),
        ahead: Callable[[str], None] = _unheard,
        enforced: Mapping[str, SourceState] = MappingProxyType({}),
    ) -> bool:
        """Look at Git for the named sources (none: all); True if any has new content. Failures go into `status`.

        `ahead` is told the name of each whose remote is ahead of what is `enforced`, as soon as that is seen. Several
        threads may call this.
        """
        wanted = set(names)
        changed = False

        def seen(name: str, commit: str) -> None:
            if self._is_news(name, commit, enforced.get(name)):
                ahead(name)

        for source in self.configured:
            if not source.suspend and (not wanted or source.name in wanted):
                changed |= self._refresh(source, seen)
        return changed

    def trouble(self, name: str, enforced: SourceState | None) -> str:
        """Why the newest revision of a source is not enforced, as far as that is known; "" when it is."""
        status, good = self.status.get(name), self.good.get(name)
        if status is not None and status.state != "Ready":
            return status.message
        late = good is not None and not good.state.same_as(enforced)
        return "its newest revision could not be published" if late else ""

    def passed(self, name: str, commits: Iterable[str]) -> Iterator[tuple[str, str, tuple[RenderedObject, ...]]]:
        """Of commits that the mirror holds beside the newest: source, commit, and what it declared if it renders."""
        source = next(one for one in self.configured if one.name == name)
        for commit in commits:
            revision = git.Revision(name, commit, str(source.ref), mirror=str(self.mirrors / f"{name}.git"))
            spec = replace(self.good[name].spec, revision=revision.text)
            with suppress(SetscrewError):
                yield name, commit, self._rendered(source, revision, spec).objects

    def _refresh(self, source: GitSource, seen: Callable[[str, str], None]) -> bool:
        before, head = self.good.get(source.name), ""
        try:
            head = git.remote_head(source, allow_local=self.allow_local)
            seen(source.name, head)
            with self._reading[source.name]:
                before = self.good.get(source.name)
                if before is not None and before.state.commit == head and before.told in {None, self.cluster}:
                    self._note(source, before)
                    return False
                self.good[source.name] = self._read(source)
        except SetscrewError as error:
            self._note_failure(source, before, head, error)
            return False
        except Exception as error:  # noqa: BLE001 - what one source holds must not stop the others
            unforeseen = InternalError(f"it could not be read: {type(error).__name__}", where=f"source {source.name}")
            self._note_failure(source, before, head, unforeseen)
            return False
        self._note(source, self.good[source.name])
        return True

    def _is_news(self, name: str, commit: str, enforced: SourceState | None) -> bool:
        """A commit that could not be rendered before is nothing that somebody's write may hide behind."""
        status = self.status.get(name)
        failed = status is not None and status.state == "RenderFailed" and commit in status.attempted
        return not failed and (enforced is None or enforced.commit != commit)

    def _note_failure(self, source: GitSource, before: Good | None, head: str, error: SetscrewError) -> None:
        """The last good revision stays enforced; `attempted` names the one that failed, as far as it is known."""
        state: SourceCondition = "RenderFailed" if isinstance(error, RenderError | UsageError) else "FetchFailed"
        self.status[source.name] = replace(
            _blank(source),
            state=state,
            message=str(error),
            attempted=git.Revision(source.name, head, str(source.ref)).text if head else "",
            enforced=before.state.revision if before else "",
            objects=len(before.objects) if before else 0,
        )

    def _read(self, source: GitSource) -> Good:
        revision = git.fetch(source, self.mirrors, allow_local=self.allow_local)
        spec = parse_render(source.render, source=source.name, revision=revision.text).on(self.cluster)
        result = self._rendered(source, revision, spec)
        state = SourceState(
            name=source.name,
            url=public_url(source.url),
            path=source.path,
            revision=revision.text,
            commit=revision.commit,
            subject=revision.subject,
            release=result.release,
            namespace=spec.namespace or "default",
            adopter=source.adopted_by,
        )
        told = self.cluster if result.kind == "helm" else None
        return Good(state, spec, result.objects, result.notes, told, revision.log)

    def _rendered(self, source: GitSource, revision: git.Revision, spec: RenderSpec) -> RenderResult:
        with tempfile.TemporaryDirectory(prefix="setscrew-source-") as directory:
            root = Path(directory) / "tree"
            materialise(revision, source.path, root)
            return render(root / source.path, spec, self.tools, root=root)

    def _note(self, source: GitSource, good: Good) -> None:
        revision = good.state.revision
        self.status[source.name] = replace(
            _blank(source),
            state="Ready",
            message=_summary(good.notes),
            attempted=revision,
            enforced=revision,
            objects=len(good.objects),
        )


def _summary(notes: tuple[str, ...]) -> str:
    """The first few, which are the loud ones, and how many there are if there are more."""
    more = f"; {len(notes)} notes, of which these are the first {_SHOWN}" if len(notes) > _SHOWN else ""
    return "; ".join(notes[:_SHOWN]) + more


def _blank(source: GitSource) -> SourceStatus:
    return SourceStatus(source.name, "Pending", public_url(source.url), source.ref.full, source.path)
