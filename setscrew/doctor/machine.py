"""Owns the checks of the state directory: who works on it, what it holds, what the guard knows of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.limits import REPORT_STALE_SECONDS
from reconciler.report.blind import blind_line
from reconciler.report.stale import stale_reason
from reconciler.snapshot.rows import FORMAT
from reconciler.store.schema import ADDED_TO, SCHEMA_VERSION
from setscrew.doctor.facts import Facts
from setscrew.doctor.finding import RUN, Finding, State, need

_LOW_BYTES: Final = 1024**3
_FULL_BYTES: Final = 100 * 1024**2
_WATCHES: Final = {"canary": "canary", "failOpen": "calls that fail open", "auditLog": "audit log of the API server"}
# How a watch stands: see docs/how-to/know-when-it-was-blind.md.
_WELL: Final = frozenset({"sees", "counted", "followed", "waiting"})
_ALARMS: Final = frozenset({"blind", "silent"})
_SHOWN: Final = 5


def reconciler(facts: Facts) -> Iterator[Finding]:
    """One reconciler works on the state directory, and compares the cluster with Git."""
    found = need(facts.running)
    if found.reconcilers > 1:
        what = f"{found.reconcilers} reconcilers work on this state directory"
        yield Finding("reconciler", "problem", what, "end all but that of `setscrew run`")
    elif not (found.locked or found.answers):
        what = "no reconciler works on this state directory: Git is not followed, the registration not kept"
        yield Finding("reconciler", "problem", what, RUN)
    elif not found.answers:
        what = "the reconciler takes no messages: it begins, has died, or hangs"
        yield Finding("reconciler", "problem", what, "look at its log; `setscrew run` starts it again where it ended")
    else:
        yield Finding("reconciler", "ok", "a reconciler works on this state directory")
    seen = need(facts.stored)
    stale = stale_reason(seen.observed_at, facts.now, current_at=seen.current_at, unwatched=seen.unwatched)
    if stale:
        fix = "is the API server reachable from there? its log says why"
        yield Finding("reconciler", "warning", f"the drift report is stale: {stale}", fix)


def store(facts: Facts) -> Iterator[Finding]:
    """The state store is one that this version reads."""
    found = need(facts.schema)
    if found == SCHEMA_VERSION:
        yield Finding("store", "ok", f"state store of format {found}, snapshots of format {FORMAT}")
    elif found in ADDED_TO:
        what = f"the state store has format {found}; the next start takes it over to {SCHEMA_VERSION}"
        yield Finding("store", "warning", what, "restart `setscrew run`: it is of an older version")
    else:
        what = f"the state store has format {found or 'unknown'}, this version reads {SCHEMA_VERSION}"
        yield Finding("store", "problem", what, "use the version that wrote it")


def snapshot(facts: Facts) -> Iterator[Finding]:
    """There is a snapshot to judge with, and the newest one can be used."""
    if facts.snapshot_problem:
        what = f"the newest snapshot cannot be used: {facts.snapshot_problem}"
        fix = "remove the directory `snapshots` and restart `setscrew run`: it is made anew from Git"
        yield Finding("snapshot", "problem", what, fix)
        return
    found, at = need(facts.snapshot), need(facts.published)
    what = f"{len(found.entries)} objects of {len(found.sources)} sources, published {at:%Y-%m-%d %H:%M} UTC"
    yield Finding("snapshot", "ok", what)


def sources(facts: Facts) -> Iterator[Finding]:
    """Git can be read, and what it says be rendered: else the last good revision is enforced on and on."""
    found = need(facts.stored).sources
    for one in found:
        message = f": {one['message']}" if one["message"] else ""
        if one["state"] == "Pending":
            yield Finding("sources", "warning", f"{one['name']} was not read yet{message}", "wait, or look at the log")
        elif one["state"] != "Ready":
            what = f"{one['name']} is {one['state']} since {one['since']}{message}"
            yield Finding("sources", "problem", what, "the last good revision is enforced; docs/reference/errors.md")
    if not found:
        yield Finding("sources", "warning", "no source is known", "give GitSource documents with --config")
    elif all(one["state"] == "Ready" for one in found):
        yield Finding("sources", "ok", f"{len(found)} of {len(found)} sources are ready")


def enforcement(facts: Facts) -> Iterator[Finding]:
    """How much of what is guarded is enforced: the rest is only reported, on purpose."""
    found = need(facts.snapshot)
    watched = sorted(name for name, source in found.sources.items() if not source.enforced)
    waiting = [one for one in found.entries if not one.adopted and one.source not in watched]
    if watched:
        what = f"watched, nothing of them is refused: {', '.join(watched)}"
        yield Finding("enforcement", "ok", what, "`setscrew enforce SOURCE` when you are ready")
    if waiting:
        names = ", ".join(str(one.ref) for one in waiting[:_SHOWN])
        more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
        what = f"there before Git declared them, and not enforced as long as they differ: {names}{more}"
        yield Finding("enforcement", "ok", what, "bring them to what Git says, or see `adopt` of their policy")
    if not (watched or waiting):
        yield Finding("enforcement", "ok", "all sources and objects are enforced as their policies say")


def watches(facts: Facts) -> Iterator[Finding]:
    """What the reconciler knows of the guard itself: canary, calls that fail open, audit log."""
    found = need(facts.stored).watches
    for name, title in _WATCHES.items():
        if name in found:
            yield _watch(facts.now, title, found[name])
    if not found:
        yield Finding("watches", "unknown", "the reconciler has not looked at the guard itself yet", RUN)


def _watch(now: datetime, title: str, one: Any) -> Finding:
    word, at = str(one.get("state")), str(one.get("at", ""))
    detail = f": {one['detail']}" if one.get("detail") else ""
    state: State = "ok" if word in _WELL else "problem" if word in _ALARMS else "warning"
    # The canary may be slow on purpose, and what stands of the audit log is written when it changes only.
    if title == _WATCHES["failOpen"] and _is_old(now, at):
        what = f"{title}: nothing was heard of it since {at}, when it was {word}"
        return Finding("watches", "warning", what, "is the reconciler running? its log says what holds it up")
    return Finding("watches", state, f"{title}: {word}{detail}", str(one.get("fix", "")))


def _is_old(now: datetime, at: str) -> bool:
    try:
        return now - datetime.fromisoformat(at) > timedelta(seconds=REPORT_STALE_SECONDS)
    except (ValueError, TypeError):
        return False


def blind(facts: Facts) -> Iterator[Finding]:
    """No span of blindness is open."""
    spans = need(facts.stored).blind
    for span in spans:
        fix = "docs/how-to/know-when-it-was-blind.md; what slipped through is in `setscrew drift`"
        yield Finding("blind", "problem", blind_line(span), fix)
    if not spans:
        yield Finding("blind", "ok", "no span of blindness is open")


def disk(facts: Facts) -> Iterator[Finding]:
    """The disk of the state directory has room: snapshots, certificates and records are written there."""
    found = need(facts.disk)
    what = f"{found.free / 1024**3:.1f} GiB of {found.total / 1024**3:.1f} GiB are free for the state directory"
    state: State = "problem" if found.free < _FULL_BYTES else "warning" if found.free < _LOW_BYTES else "ok"
    fix = "" if state == "ok" else "make room: without it no new revision is enforced and no certificate renewed"
    yield Finding("disk", state, what, fix)
