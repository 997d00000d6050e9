"""Owns the words of a denial: who, what, want and now, where it is declared, what to do. Must not decide.

Every value passes `reconciler.compare.mask`, so nothing secret or unprintable gets into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.compare.mask import clean, shown_values, text
from reconciler.compare.place import UNKNOWN, named
from reconciler.limits import DENIAL_MESSAGE_CHARS, DENIAL_PATHS
from reconciler.model.instant import stamp_of
from reconciler.model.kept import kept
from reconciler.model.path import pointer, readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.grant import Grant
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Earlier, Entry, SourceState, Taken
from webhook.decision.granted import scope_path
from webhook.decision.look import Look
from webhook.decision.types import Cause, CauseVerdict, Request
from webhook.decision.verdict import Verdict
from webhook.decision.violation import Violation

Documents = tuple[Tree, Tree, Tree]
_VERDICTS: Final[dict[str, CauseVerdict]] = {
    "held": "held",
    "default": "held",
    "order": "held",
    "masked": "masked",
    "extra": "extra",
}
_SHOWN_TAKEN: Final = 5
_KNOWN_CHARS: Final = 1800
_SOURCES_KEPT: Final = 64
_PLAIN: Final = re.compile(r"[\w./:@-]*", re.ASCII)
_FORMS: Final = {"server": "that of before", "offline": "made without the API server"}


def cause(violation: Violation, documents: Documents) -> Cause:
    """One violation as programs and people read it; `documents`: the object as it is wanted, was and is asked for."""
    path, was = violation.path, ABSENT if violation.was is UNKNOWN else violation.was
    want, before, now = shown_values((violation.want, was, violation.now), path, documents)
    place, why = clean(named(path, violation.inside), limit=200), clean(violation.why, limit=300)
    note = f"; it {clean(violation.note, limit=300)}" if violation.note else ""
    return Cause(
        field=place,
        pointer=clean(pointer(path, documents[0 if violation.now is ABSENT else 2]), limit=500),
        verdict=verdict(violation),
        want=want,
        now=now,
        message=f"{place}: want {want}, now {now}: {why}{note}",
        why=why,
        was=before,
        path=path,
        embedded=clean(violation.inside.pointer, limit=500) if violation.inside is not None else "",
        note=note,
    )


def verdict(violation: Violation) -> CauseVerdict:
    """The word by which programs know a violation."""
    return _VERDICTS.get(violation.kind, "metadata")


def denial(
    verdict: Verdict,
    entry: Entry,
    causes: tuple[Cause, ...],
    *,
    total: int = 0,
    more: str = "",
    users: Sequence[str] = (),
) -> str:
    """The whole message of a refused change; at most DENIAL_PATHS paths, and never without its end: what to do.

    `total` is the number of violations where `causes` are only the first of them. `users`, in all messages: lines on
    who uses what the request would change.
    """
    head = clean(f"{_who(verdict.request)} may not change {clean(str(entry.ref), limit=200)} away from Git.")
    tail = [clean(line) for line in _tail(verdict, entry, causes[0] if len(causes) == 1 else None, more, users)]
    room = DENIAL_MESSAGE_CHARS - len(_joined([head, *tail])) - 40
    shown: list[str] = []
    for one in causes[:DENIAL_PATHS]:
        line = _line(one)
        if len(line) + 1 > room:
            break
        room -= len(line) + 1
        shown.append(line)
    left = max(total, len(causes)) - len(shown)
    return _joined([head, *shown, *([f"  … and {left} more"] if left else []), *tail])


def refused_whole(verdict: Verdict, entry: Entry, *, verb: str, why: str, users: Sequence[str] = ()) -> str:
    """The message of a refused DELETE or finalize."""
    head = f"{_who(verdict.request)} may not {verb} {clean(str(entry.ref), limit=200)}: {clean(why, limit=300)}."
    return _lines([head, *_tail(verdict, entry, None, "", users)])


def undecidable(request: Request, entry: Entry, why: str) -> str:
    """The message where nothing could be compared."""
    ref = clean(str(entry.ref), limit=200)
    return _lines(
        [
            f"{_who(request)} may not change {ref}: it cannot be judged, for {clean(why, limit=300)}.",
            f"What to do: change it in Git, or set `undecidable: Allow` in policy {entry.policy.name}.",
        ]
    )


def cascade(verdict: Verdict, ref: ObjectRef, inside: Taken, *, verb: str, users: Sequence[str] = ()) -> str:
    """The message of a refused DELETE of what holds guarded objects."""
    shown = ", ".join(clean(str(ref), limit=100) for ref in inside.shown[:_SHOWN_TAKEN])
    left = len(inside.shown) - _SHOWN_TAKEN
    more, what = f" and {left} more" if left > 0 else "", clean(str(ref), limit=300)
    return _lines(
        [
            f"{_who(verdict.request)} may not {verb} {what}: objects that Git declares would go with it.",
            f"  {shown}{more}",
            *users,
            "What to do: remove them in Git first.",
            _way_out(verdict, ref),
        ]
    )


def exclusive(verdict: Verdict, ref: ObjectRef, policy: Policy, users: Sequence[str] = ()) -> str:
    """The message of a refused stray object."""
    request = verdict.request
    what, kind = clean(str(ref), limit=200), clean(ref.kind, limit=100)
    verb = request.operation.lower()
    declared = f"Git declares all {kind} objects, and not this one"
    depended = "no source declares it, and what Git declares depends on it"
    return _lines(
        [
            f"{_who(request)} may not {verb} {what}: {depended if policy.once else declared}.",
            f"Policy {policy.name} makes the kind exclusive: a stray object of it changes what the declared ones mean.",
            *users,
            "What to do: add it in Git, or remove the object (removing it is allowed).",
            _way_out(verdict, ref),
        ]
    )


def lever(verdict: Verdict, ref: ObjectRef, lines: Sequence[str], *, grantable: bool) -> str:
    """The message of a refused change of what steers the guard itself; the first of `lines` says why."""
    verb, what = verdict.request.operation.lower(), clean(str(ref), limit=200)
    way_out = [_way_out(verdict, ref)] if grantable else []
    return _lines([f"{_who(verdict.request)} may not {verb} {what}: {lines[0]}.", *lines[1:], *way_out])


def granted(grant: Grant) -> str:
    """The warning of a write that a grant permits."""
    end = stamp_of(grant.not_after)
    return clean(f"Setscrew: away from Git under grant {grant.id} until {end}; what stays is drift", limit=250)


def unverified(ahead: Iterable[str]) -> str:
    """The warning of a writer's write that nobody could verify in time."""
    names = ", ".join(sorted(ahead))
    return clean(f"Setscrew: unverified; source {names} has a newer revision that is still being read", limit=250)


def outdated(verdict: Verdict, older: Earlier) -> str:
    """Which revision it is that explains a write, although it is not enforced any more."""
    source = verdict.snapshot.sources.get(older.entry.source)
    subjects = dict(source.history) if source else {}
    subject = f" ({text(subjects[older.last], limit=80)})" if subjects.get(older.last) else ""
    return f"The write is what revision {older.last[:12]}{subject} wanted, which is older than the enforced one."


def looked(look: Look, source: str = "") -> str:
    """What the look at Git on behalf of a named writer has found; "" where there was none. No `source`: at any."""
    if not look.asked:
        return ""
    failed = look.failed.get(source) if source else next(iter(look.failed.values()), None)
    if failed is not None:
        return f"Git was asked just now and could not be read: {clean(failed, limit=200)}."
    if look.ahead and not look.answered:
        return "Git has a newer revision that could not be read in time; try again in a moment."
    if not look.answered:
        return "Git could not be asked in time: the reconciler gave no answer."
    return "Git was asked just now: no newer revision explains this write."


def audit(verdict: Verdict, entry: Entry, code: str, causes: tuple[Cause, ...] = ()) -> dict[str, str]:
    """Audit annotations: code, snapshot, policy, source, revision, paths; never a value."""
    source = verdict.snapshot.sources.get(entry.source)
    annotations = snapshot_audit(verdict, code, entry.policy)
    if source is not None:
        annotations |= {"source": source.name, "revision": clean(source.revision, limit=100)}
    if causes:
        annotations["paths"] = " ".join(one.pointer for one in causes[:DENIAL_PATHS])
    return annotations


def snapshot_audit(verdict: Verdict, code: str, policy: Policy | None = None) -> dict[str, str]:
    """Audit annotations where there is no one guarded object; `policy` is the one that decides."""
    annotations = {"code": code, "snapshot": verdict.snapshot.digest[:16]}
    return annotations if policy is None else {**annotations, "policy": policy.name}


def _who(request: Request) -> str:
    return clean(request.identity.username, limit=100) or "somebody without a name"


def _lines(lines: list[str]) -> str:
    """Lines without control characters, joined and cut to DENIAL_MESSAGE_CHARS."""
    return _joined([clean(line) for line in lines])


def _joined(lines: list[str]) -> str:
    shown = "\n".join(lines)
    return shown if len(shown) <= DENIAL_MESSAGE_CHARS else shown[: DENIAL_MESSAGE_CHARS - 1] + "…"


def _line(one: Cause) -> str:
    """All parts of a cause are clean already."""
    if one.verdict == "extra":
        detail = f"{one.now} is not in Git"
    elif one.verdict == "held" and one.want != "nothing":
        asked = "removes it" if one.now == "nothing" else f"has {one.now}"
        detail = f"Git wants {one.want}, the request {asked}"
    elif one.verdict == "masked":
        detail = one.why
    else:
        detail = f"{one.now}: {one.why}"
    return f"  {one.field}: {detail}{one.note}"


def _tail(verdict: Verdict, entry: Entry, one: Cause | None, more: str, users: Sequence[str]) -> list[str]:
    """What is known of the object, as many of the users' lines as leave room for the rest, and what to do."""
    source = verdict.snapshot.sources.get(entry.object.provenance.source)
    place = clean(entry.object.provenance.place, limit=300) or "the source"
    lines = [f"Declared in {place} {_at(source)}".rstrip() + "."]
    if entry.object.reason:
        lines.append(clean(f"Its form is {_FORMS[entry.object.confidence]}: {entry.object.reason}.", limit=600))
    if more:
        lines.append(more)
    for line in users:
        if len(_joined([*lines, line])) <= _KNOWN_CHARS:
            lines.append(line)
    return [*lines, *_what_to_do(verdict, entry, one)]


def _what_to_do(verdict: Verdict, entry: Entry, one: Cause | None) -> list[str]:
    """`one` is the path that is refused, where it is a single one."""
    ref = entry.object.ref
    namespace = f" -n {_quoted(ref.namespace)}" if ref.namespace else ""
    option = f" --field {_quoted(clean(readable(one.path), limit=200))}" if one else ""
    # In a scope a star stands for any name: one that somebody has put into a name would widen the grant unseen.
    asked = scope_path(one.path, (entry.object.want, verdict.request.old, verdict.request.object)) if one else ""
    path = f" --path {_quoted(asked)}" if asked and "*" not in asked else ""
    return [
        "What to do: change it in Git; it is enforced as soon as it is pushed.",
        _way_out(verdict, ref, path),
        clean(f"More: setscrew explain {_quoted(ref.short)}{namespace}{option}", limit=600),
    ]


def _way_out(verdict: Verdict, ref: ObjectRef, path: str = "") -> str:
    """The command of a grant; `path` is its option, where there is one path to name."""
    who = _quoted(clean(verdict.request.identity.username, limit=100))
    grant = f"setscrew grant create --user {who} --ref {_quoted(str(ref))}{path} --for 1h --reason … --approver …"
    return clean(f"In an emergency somebody else may grant it for a time: {grant}", limit=1200)


def _quoted(word: str) -> str:
    """A word for a POSIX shell: people paste the command, and parts of it come from whoever made the request."""
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


@kept(_SOURCES_KEPT)
def _at(source: SourceState | None) -> str:
    """Where a source stands; said in every denial."""
    if source is None:
        return ""
    shown = f"at {source.commit[:12] or clean(source.revision, limit=100)}"
    if source.subject:
        shown += f" ({text(source.subject, limit=80)})"
    if source.signer:
        shown += f" signed by {clean(source.signer, limit=100)}"
    shown += f" of source {source.name} ({clean(source.url, limit=200)})"
    if source.stale:
        shown += f", which is stale: it could not be followed since {source.stale}, and Git may say otherwise by now"
    return shown
