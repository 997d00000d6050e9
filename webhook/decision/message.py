"""Owns the words of a denial: who, what, want and now, where it is declared, what to do. Must not decide.

Every value passes `reconciler.compare.mask`, so nothing secret or unprintable gets into a message.
"""

from __future__ import annotations

from reconciler.compare.mask import clean, text
from reconciler.limits import DENIAL_MESSAGE_CHARS, DENIAL_PATHS
from reconciler.model.path import pointer, readable
from reconciler.model.tree import ABSENT
from reconciler.snapshot.model import Entry, SnapshotView, SourceState
from webhook.decision.types import Cause, Request
from webhook.decision.violation import Violation

_VERDICTS = {"held": "held", "default": "held", "order": "held", "masked": "masked", "extra": "extra"}


def cause(violation: Violation, request: Request, entry: Entry) -> Cause:
    """One violation as programs and people read it."""
    document = entry.object.want if violation.now is ABSENT else request.object
    want, now = text(violation.want, violation.path), text(violation.now, violation.path)
    place = clean(readable(violation.path), limit=200)
    return Cause(
        field=place,
        pointer=clean(pointer(violation.path, document), limit=500),
        verdict=_VERDICTS.get(violation.kind, "metadata"),  # type: ignore[arg-type]  # the values are the literals
        want=want,
        now=now,
        message=f"{place}: want {want}, now {now}: {violation.why}",
    )


def denial(request: Request, entry: Entry, snapshot: SnapshotView, causes: tuple[Cause, ...], *, more: str = "") -> str:
    """The whole message of a refused change; at most DENIAL_PATHS paths."""
    who, ref = clean(request.identity.username, limit=100), entry.object.ref
    lines = [f"{who} may not change {clean(str(ref), limit=200)} away from Git."]
    lines += [_line(one) for one in causes[:DENIAL_PATHS]]
    if len(causes) > DENIAL_PATHS:
        lines.append(f"  … and {len(causes) - DENIAL_PATHS} more")
    lines += _tail(entry, snapshot, causes[0].field if len(causes) == 1 else "", more)
    return clean_lines(lines)


def deletion(request: Request, entry: Entry, snapshot: SnapshotView, *, why: str = "Git declares it") -> str:
    """The message of a refused DELETE."""
    who = clean(request.identity.username, limit=100)
    return clean_lines(
        [f"{who} may not delete {clean(str(entry.object.ref), limit=200)}: {why}.", *_tail(entry, snapshot, "", "")]
    )


def clean_lines(lines: list[str]) -> str:
    """Lines that hold no control characters, joined and cut to DENIAL_MESSAGE_CHARS."""
    shown = "\n".join(lines)
    return shown if len(shown) <= DENIAL_MESSAGE_CHARS else shown[: DENIAL_MESSAGE_CHARS - 1] + "…"


def _line(one: Cause) -> str:
    reason = one.message.rsplit(": ", 1)[-1]
    detail = {
        "extra": f"{one.now} is not in Git",
        "held": f"Git wants {one.want}, the request has {one.now}"
        if one.now != "nothing"
        else f"Git wants {one.want}, the request removes it",
        "masked": reason,
    }.get(one.verdict, f"{one.now}: {reason}")
    return f"  {one.field}: {detail}"


def _tail(entry: Entry, snapshot: SnapshotView, field: str, more: str) -> list[str]:
    ref, provenance = entry.object.ref, entry.object.provenance
    source = snapshot.sources.get(provenance.source)
    lines = [f"Declared in {clean(provenance.place, limit=300) or 'the source'} {_at(source)}".rstrip() + "."]
    if more:
        lines.append(more)
    namespace = f" -n {ref.namespace}" if ref.namespace else ""
    option = f" --field '{field}'" if field else ""
    lines.append("What to do: change it in Git; it is enforced as soon as it is pushed.")
    lines.append(clean(f"More: setscrew explain {ref.short}{namespace}{option}", limit=400))
    return lines


def _at(source: SourceState | None) -> str:
    if source is None:
        return ""
    shown = f"at {source.commit[:12] or source.revision}"
    if source.subject:
        shown += f" ({text(source.subject, limit=80)})"
    if source.signer:
        shown += f" signed by {clean(source.signer, limit=100)}"
    return f"{shown} of source {source.name} ({clean(source.url, limit=200)})"
