"""Owns the last good objects of each source: reads what is new, keeps what was good. Must not canonicalize."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from reconciler.errors import InternalError, SetscrewError, UsageError
from reconciler.limits import SOURCES_AT_ONCE
from reconciler.loop.conditions import blank, check_losses, check_rewrite, failed, gone_stale, ready
from reconciler.loop.reading import Good, Heads, Reader
from reconciler.loop.ruling import Ruling
from reconciler.model.objects import RenderedObject
from reconciler.render.spec import NO_CLUSTER, Capabilities
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.source.spec import GitSource
from reconciler.store.sources import SourceStatus

T = TypeVar("T")


def _unheard(_: str) -> None:
    """Nobody asks."""


@dataclass(slots=True)
class Sources:
    """All sources of one installation. Several threads may use it.

    `cluster` is what charts are told; they are rendered anew when it changes. `others` are the states of what is not
    read at all. `succeeded` is when each could last be read in its newest revision. `ruling` says what
    may come in.
    """

    configured: tuple[GitSource, ...]
    reader: Reader
    cluster: Capabilities = NO_CLUSTER
    good: dict[str, Good] = field(default_factory=dict)
    status: dict[str, SourceStatus] = field(default_factory=dict)
    others: tuple[SourceStatus, ...] = ()
    succeeded: dict[str, datetime] = field(default_factory=dict)
    ruling: Ruling = field(default_factory=Ruling)
    _admitting: threading.RLock = field(default_factory=threading.RLock)
    _confirmed: dict[str, str] = field(default_factory=dict)
    _reading: dict[str, threading.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.follow(self.configured)

    def follow(self, sources: Iterable[GitSource], others: Iterable[SourceStatus] = ()) -> None:
        """These are the sources from now on; `others` are states to be shown of what cannot be one.

        What is known of a source that is gone is forgotten. One that is defined otherwise now keeps what was good until
        it has been read anew.
        """
        self.configured, self.others = tuple(sources), tuple(others)
        names = {source.name for source in self.configured}
        for known in (self.good, self.status, self.succeeded, self._confirmed):
            for name in known.keys() - names:
                known.pop(name, None)
        self.reader.git.keep(self.configured)

    def tidy(self) -> None:
        """Remove what is kept on disk of sources that are gone."""
        self.reader.git.tidy()

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

    def statuses(self, now: datetime) -> list[SourceStatus]:
        """How each source is: those that are followed, suspended, and not readable at all."""
        found = dict(self.status)
        seen = []
        for source in self.configured:
            status = found.get(source.name, blank(source))
            if source.suspend:
                status = replace(status, state="Suspended", message="it is not looked at until spec.suspend is false")
            seen.append(gone_stale(status, source, self.succeeded.get(source.name), now))
        return [*seen, *self.others]

    def problems(self, enforced: MemorySnapshot) -> tuple[str, ...]:
        """What is wrong by the rules with what counts now, a line each; of what could not be read, what is enforced."""
        return self.ruling.problems(self.goods(), enforced)

    def stale(self, now: datetime) -> dict[str, str]:
        """Since when (RFC 3339) those sources could not be followed for which that is long."""
        found = {status.name: status.stale for status in self.statuses(now)}
        return {name: since for name, since in found.items() if since}

    def confirm(self, name: str) -> str:
        """Take what was held of a source, if nothing else comes meanwhile; the revision, "" where none is held.

        Raises UsageError for a name that is not configured.
        """
        self.named([name])
        status = self.status.get(name)
        if status is None or status.state != "Held":
            return ""
        self._confirmed[name] = status.attempted.rpartition(":")[2]
        return status.attempted

    def refresh(
        self,
        names: Iterable[str] = (),
        ahead: Callable[[str], None] = _unheard,
        enforced: MemorySnapshot | None = None,
    ) -> bool:
        """Look at Git for the named sources (none: all); True if any has new content. Failures go into `status`.

        `ahead` is told the name of each whose remote is ahead of what is `enforced`, as soon as that is seen.
        """
        wanted, since = set(names), time.monotonic()
        chosen = [one for one in self.configured if not one.suspend and (not wanted or one.name in wanted)]
        looks = [_Look(self, source, since, ahead, enforced) for source in chosen]
        if len(looks) < 2:
            return any(look.read(_Read.taken) for look in looks)
        with ThreadPoolExecutor(SOURCES_AT_ONCE) as pool:
            return self._take(list(pool.map(_Look.alone, looks)), enforced)

    def _take(self, reads: Iterable[_Read], enforced: MemorySnapshot | None) -> bool:
        """Judge all that is new at once, for the price of one; one by one only where something is wrong."""
        with self._admitting:
            new = [read for read in reads if read.is_new]
            judged = False
            if enforced is not None and len(new) > 1 and all(read.is_judged for read in new):
                with suppress(Exception):  # whatever it is, it is found again, with its source
                    judged = self.ruling.goes([read.good for read in new if read.good], self.goods(), enforced)
            taken = [read.taken(judged=judged) for read in reads]
        return any(taken)

    def trouble(self, name: str, enforced: SourceState | None) -> str:
        """Why the newest revision of a source is not enforced, as far as that is known; "" when it is."""
        status, good = self.status.get(name), self.good.get(name)
        if status is not None and status.state != "Ready":
            return status.message
        late = good is not None and not good.state.same_as(enforced)
        return "its newest revision could not be published" if late else ""

    def passed(self, name: str, commits: Iterable[str]) -> Iterator[tuple[str, str, tuple[RenderedObject, ...]]]:
        """Of commits that the mirror holds beside the newest: source, commit, and what it declared if it renders."""
        if (good := self.good.get(name)) is None:
            return
        for commit in commits:
            with suppress(SetscrewError):
                yield name, commit, self.reader.at(commit, good)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one source, beside what is enforced."""

    sources: Sources
    source: GitSource
    since: float
    ahead: Callable[[str], None]
    snapshot: MemorySnapshot | None

    def read(self, then: Callable[[_Read], T]) -> T:
        """What `then` makes of what is new, before anybody else reads this source."""
        heads = None
        try:
            heads = self.sources.reader.heads(self.source, self.since)
            if not self.source.verify.mode:  # else nobody may hide behind it before it is known to be signed
                self._seen(heads)
            with self.sources._reading.setdefault(self.source.name, threading.Lock()):  # noqa: SLF001 - one module
                before = self.sources.good.get(self.source.name)
                same = before is not None and self._is_same(before, heads)
                good = before if same else self._read(heads)
                return then(_Read(self, heads, self._status, before, good))
        except Exception as error:  # noqa: BLE001 - what one source holds must not stop the others
            return then(_Read(self, heads, self._status, None, None, _known(error, self.source)))

    @property
    def _status(self) -> SourceStatus | None:
        return self.sources.status.get(self.source.name)

    def alone(self) -> _Read:
        """What is new, which does not count yet."""
        return self.read(lambda found: found)

    def _is_same(self, good: Good, heads: Heads) -> bool:
        return (good.source, good.heads) == (self.source, heads) and good.told in {None, self.sources.cluster}

    def _read(self, heads: Heads) -> Good:
        """The newest revision, if nothing is wrong with it. Raises SetscrewError."""
        told = partial(self._seen, heads)
        good = self.sources.reader.read(self.source, heads, self.sources.cluster, self.enforced, told)
        if not self.is_confirmed(good):
            check_rewrite(self.source, good.revision)
            entries = self.snapshot.entries if self.snapshot is not None else ()
            check_losses(self.source, [one.ref for one in entries if one.source == self.source.name], good.objects)
        return good

    def is_confirmed(self, good: Good) -> bool:
        """Whether somebody takes just this commit, whatever is wrong with it."""
        return self.sources._confirmed.get(self.source.name) == good.state.commit  # noqa: SLF001 - as above

    @property
    def enforced(self) -> SourceState | None:
        return self.snapshot.sources.get(self.source.name) if self.snapshot is not None else None

    def _seen(self, heads: Heads) -> None:
        """A commit that could not be taken before is nothing that somebody's write may hide behind."""
        status, commit = self.sources.status.get(self.source.name), heads.own.commit
        known = status is not None and status.state in {"RenderFailed", "VerifyFailed", "Held"}
        refused = known and status is not None and commit in status.attempted
        if not refused and (self.enforced is None or self.enforced.commit != commit):
            self.ahead(self.source.name)


@dataclass(frozen=True, slots=True)
class _Read:
    """What a look has found beside what was good `before`: a revision, the same one, or what was in the way.

    `status` was known of the source then: another one is by a newer look.
    """

    look: _Look
    heads: Heads | None
    status: SourceStatus | None
    before: Good | None
    good: Good | None
    error: SetscrewError | None = None

    def taken(self, *, judged: bool = False) -> bool:
        """Let it count from now on, if it goes with what counts until now; True if anything is new."""
        found, source = self.look.sources, self.look.source
        if (self.good is None or self.good is self.before) and found.status.get(source.name) is not self.status:
            return False
        if self.good is None:
            return self._failed(self.error)
        if self.good is not self.before:
            with found._admitting:  # noqa: SLF001 - one module
                if not self.is_new:
                    return False
                try:
                    if self.look.snapshot is not None and self.is_judged and not judged:
                        found.ruling.check(self.good, found.goods(), self.look.snapshot)
                except Exception as error:  # noqa: BLE001 - as above
                    return self._failed(_known(error, source))
                found.good[source.name] = self.good
            found._confirmed.pop(source.name, None)  # noqa: SLF001 - it was for this once
        found.status[source.name] = ready(self.good)
        found.succeeded[source.name] = datetime.now(UTC)
        return self.good is not self.before

    @property
    def is_new(self) -> bool:
        """False where it is gone, defined otherwise, or somebody else has read it meanwhile, too."""
        found, source = self.look.sources, self.look.source
        known = source in found.configured and found.good.get(source.name) is self.before
        return known and self.good is not None and self.good is not self.before

    @property
    def is_judged(self) -> bool:
        """Whether rules have a say: not of what somebody has confirmed."""
        return self.good is not None and not self.look.is_confirmed(self.good)

    def _failed(self, error: SetscrewError | None) -> bool:
        """The last good revision stays enforced."""
        found, source = self.look.sources, self.look.source
        if error is not None:
            head = self.heads.own if self.heads else None
            found.status[source.name] = failed(source, found.good.get(source.name), head, error)
        return False


def _known(error: Exception, source: GitSource) -> SetscrewError:
    if isinstance(error, SetscrewError):
        return error
    return InternalError(f"it could not be read: {type(error).__name__}", where=f"source {source.name}")
