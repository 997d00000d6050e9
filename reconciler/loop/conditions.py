"""Owns what state a source is in after a look, and which revisions are held although they could be read. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.errors import RenderError, SetscrewError, SourceError, UsageError
from reconciler.limits import SOURCE_LOST_OBJECTS, SOURCE_STALE_INTERVALS, SOURCE_STALE_SECONDS
from reconciler.loop.reading import Good
from reconciler.model.instant import stamp
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.report.item import public_url
from reconciler.source.backend import Head, Revision
from reconciler.source.spec import GitSource
from reconciler.store.sources import SourceCondition, SourceStatus

_SHOWN: Final = 5
_STATES: Final[dict[str, SourceCondition]] = {
    "SS2003": "RefNotFound",
    "SS2006": "RenderFailed",
    "SS2007": "RenderFailed",
    "SS2008": "RenderFailed",
    "SS2018": "RenderFailed",
    "SS2014": "Held",
    "SS2015": "Held",
    "SS3101": "Held",
}


def blank(source: GitSource) -> SourceStatus:
    """A source of which nothing is known yet."""
    where = SourceStatus(source.name, "Pending", public_url(source.url), source.ref.full, source.path)
    by = source.adopted_by
    return replace(
        where,
        origin=f"{by.kind} {f'{by.namespace}/' if by.namespace else ''}{by.name}" if by.kind else "",
        beside=tuple((other.url, other.ref.full) for _, other in source.beside),
    )


def ready(good: Good) -> SourceStatus:
    """A source whose newest revision could be read."""
    left = good.revision.rewritten
    notes = (f"its history was rewritten: it does not descend from {left[:12]}",) if left else ()
    return replace(
        blank(good.source),
        state="Ready",
        message=_summary((*notes, *good.notes)),
        attempted=good.state.revision,
        enforced=good.state.revision,
        signer=good.state.signer,
        objects=len(good.objects),
        rewritten=left,
        fetch_seconds=good.fetch_seconds,
    )


def failed(source: GitSource, before: Good | None, head: Head | None, error: SetscrewError) -> SourceStatus:
    """A source whose newest revision cannot be taken; `attempted` names it, as far as it is known."""
    known = replace(ready(before), rewritten="") if before is not None else SourceStatus(source.name, "Pending")
    return replace(
        blank(source),
        state=_state(error),
        message=str(error),
        attempted=Revision(source.name, head.commit, head.name).text if head is not None else "",
        enforced=known.enforced,
        signer=known.signer,
        objects=known.objects,
    )


def _state(error: SetscrewError) -> SourceCondition:
    if error.code.startswith("SS21"):
        return "VerifyFailed"
    if isinstance(error, RenderError | UsageError):
        return "RenderFailed"
    return _STATES.get(error.code, "FetchFailed")


def gone_stale(status: SourceStatus, source: GitSource, succeeded: datetime | None, now: datetime) -> SourceStatus:
    """The status with what time has made of it: a source that was good once, and is not for long, is stale."""
    last = stamp(succeeded) if succeeded is not None else ""
    known = replace(status, succeeded=last)
    if status.state in {"Ready", "Suspended"} or succeeded is None:
        return known
    patience = max(SOURCE_STALE_INTERVALS * source.interval, SOURCE_STALE_SECONDS)
    if now - succeeded < timedelta(seconds=patience):
        return known
    return replace(known, stale=last, state="Stale" if status.state == "FetchFailed" else status.state)


def check_rewrite(source: GitSource, revision: Revision) -> None:
    """Raises SourceError SS2014 for a revision that leaves out the last one, where the source forbids that."""
    if source.wants_fast_forward and revision.rewritten:
        message = f"its history was rewritten: {revision.commit[:12]} does not descend from {revision.rewritten[:12]}"
        raise held(source, message, "SS2014")


def check_losses(source: GitSource, before: Iterable[ObjectRef], objects: Iterable[RenderedObject]) -> None:
    """Raises SourceError SS2015 where most of what is enforced would be let go, or all of it.

    Objects are told apart by kind and name alone: a namespace that the manifest leaves out is known later.
    """
    known = Counter((ref.group, ref.kind, ref.name) for ref in before)
    now = Counter((one.ref.group, one.ref.kind, one.ref.name) for one in objects)
    lost, total = (known - now).total(), known.total()
    if lost * 2 > total and (lost >= SOURCE_LOST_OBJECTS or not now):
        raise held(source, f"it would let go of {lost} of {total} objects", "SS2015")


def held(source: GitSource, message: str, code: str) -> SourceError:
    """The error of a revision that could be read and is not taken, until it is mended or somebody says so."""
    hint = f"if that is meant: setscrew source confirm {source.name}"
    return SourceError(message, where=f"source {source.name}", hint=hint, code=code)


def _summary(notes: tuple[str, ...]) -> str:
    """The first few, which are the loud ones, and how many there are if there are more."""
    more = f"; {len(notes)} notes, of which these are the first {_SHOWN}" if len(notes) > _SHOWN else ""
    return "; ".join(notes[:_SHOWN]) + more
