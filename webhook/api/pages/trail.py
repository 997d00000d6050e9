"""Owns what pages say of decisions, grants and the past of one object. Pure; must not read a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.instant import stamp_of
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant
from reconciler.policy.granting import state, username
from reconciler.report.drift import finding_id
from reconciler.report.printable import one_line
from webhook.api.pages import words

_REFUSED: Final = words.Sign("refused", "×", "loud")
_WOULD: Final = words.Sign("admitted, would be refused", "!", "warm")
_GRANTED: Final = words.Sign("admitted by grant", "!", "warm")
_ADMITTED: Final = words.Sign("admitted", "✓", "well")
_GRANT_SIGNS: Final = {
    "InForce": words.Sign("in force", "!", "warm"),
    "Waiting": words.Sign("waiting", "…", ""),
    "Ended": words.Sign("ended", "=", ""),
    "Revoked": words.Sign("revoked", "×", ""),
}
_GRANT_TEXTS: Final = ("id", "reason", "approver", "created_by", "revoked_by", "revoked_for")
_OVER: Final = ("Ended", "Revoked")
# How events of the history read, and how they look in the timeline.
_EVENTS: Final = {
    "detected": ("Drift seen", "loud"),
    "changed": ("It differs otherwise now", "warm"),
    "resolved": ("As Git says again", "well"),
    "healed": ("Put back by Setscrew", "well"),
    "heal-failed": ("Could not be put back", "loud"),
    "fight": ("A fight", "loud"),
}
# An end says by a code why it is one.
_ENDS: Final = {
    "in-sync": "As Git says again",
    "not-guarded": "Not under guard any more",
    "gone": "Gone, or Git declares it now",
}
_PATHS: Final = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One moment in the past of an object."""

    time: str
    title: str
    text: str = ""
    tone: str = ""


def decision(one: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    """A decision as its page shows it, with the id of the finding that its object may have."""
    names = ObjectRef(*(str(one.get(part) or "") for part in ("group", "kind", "namespace", "name")))
    more = one.get("morePaths") or 0
    paths = [path for path in one.get("paths") or () if isinstance(path, dict)]
    return {
        **one,
        "sign": _answer(one),
        "place": f"{names.namespace}/{names.name}" if names.namespace else names.name,
        "finding": finding_id(names, cluster) if names.name else "",
        "paths": paths,
        "more": (more if isinstance(more, int) else 0) + max(0, len(paths) - _PATHS),
    }


def grant(one: Grant, now: float) -> dict[str, Any]:
    """A grant as its page shows it."""
    scope = (*one.scope.refs, *one.scope.kinds, *(f"-n {name}" for name in one.scope.namespaces), *one.scope.paths)
    return {
        **{name: getattr(one, name) for name in _GRANT_TEXTS},
        "sign": _GRANT_SIGNS[state(one, now)],
        "names": [username(subject) for subject in one.subjects],
        "scope": scope,
        "revoked": bool(one.revoked),
        "over": state(one, now) in _OVER,
        "until": stamp_of(one.revoked or one.not_after),
    }


def timeline(
    item: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
    guarded: Sequence[Mapping[str, Any]] = (),
) -> tuple[Event, ...]:
    """What is known of the object's past, newest first."""
    told = [_event(one) for one in history]
    if not told and item.get("firstSeen"):
        known = item.get("state") != "unknown"
        told.append(Event(str(item["firstSeen"]), *(("Drift seen", "", "loud") if known else ("Not known any more",))))
    if not item.get("resolvedAt") and item.get("state") == "unknown" and item.get("lastSeen"):
        told.append(Event(str(item["lastSeen"]), "Could not be compared", str(item.get("reason") or ""), "odd"))
    told += [_decided(one) for one in decisions if one.get("time") and "allowed" in one]
    told += [_begun(one) for one in guarded if one.get("since")]
    # Of one second what was told later is newer.
    return tuple(one for _, one in sorted(enumerate(told), key=lambda pair: (pair[1].time, pair[0]), reverse=True))


def fight(history: Sequence[Mapping[str, Any]], since: str) -> str:
    """What is said of the newest fight over the object since then (RFC 3339), "" where there was none."""
    found = (one for one in reversed(history) if one.get("event") == "fight" and str(one["time"]) >= since)
    return next(map(fought, found), "")


def fought(one: Mapping[str, Any]) -> str:
    """`Put back 5 times in 10 minutes, each time undone by …`."""
    try:
        minutes, pause = int(one["seconds"]) // 60, int(one["pause"]) // 60
        times = f"Put back {int(one['corrections'])} times in {minutes} minutes, each time undone by"
        return one_line(f"{times} {one.get('opponent') or 'somebody'}; from then on tried once in {pause} minutes")
    except (KeyError, TypeError, ValueError):
        return one_line(f"Put back again and again, each time undone by {one.get('opponent') or 'somebody'}")


def ended(history: Sequence[Mapping[str, Any]]) -> str:
    """Why the finding was over last, "" where that was not noted."""
    ends = (str(one.get("reason") or "") for one in reversed(history) if one.get("event") == "resolved")
    return next(ends, "")


def _begun(one: Mapping[str, Any]) -> Event:
    at = f"commit {str(one['commit'])[:12]}" if one.get("commit") else ""
    text = ", ".join(part for part in (f"source {one.get('source')}" if one.get("source") else "", at) if part)
    return Event(str(one["since"]), "Under guard", one_line(text))


def _event(one: Mapping[str, Any]) -> Event:
    title, tone = _EVENTS.get(str(one.get("event")), (str(one.get("event")), ""))
    if one.get("code") in _ENDS:
        return Event(str(one.get("time", "")), _ENDS[one["code"]], tone="well")
    return Event(str(one.get("time", "")), title, _details(one), tone)


def _details(one: Mapping[str, Any]) -> str:
    """Who and what, as far as it was noted with the event."""
    if one.get("event") == "fight":
        return fought(one)
    if one.get("event") == "healed":
        fields = [str(name) for name in one.get("fields") or ()]
        by = f"written by {one['opponent']}" if one.get("opponent") else ""
        return one_line(", ".join(part for part in (*fields, by) if part))
    paths = [str(path) for path in one.get("paths") or ()]
    more = len(paths) - _PATHS + int(one.get("morePaths") or 0)
    listed = ", ".join(paths[:_PATHS]) + (f" and {more} more" if more > 0 else "")
    who = one.get("who") or one.get("opponent")
    told = (one.get("reason") or one.get("detail") or one.get("message"), f"by {who}" if who else "", listed)
    return "; ".join(str(part) for part in told if part)


def _decided(one: Mapping[str, Any]) -> Event:
    answer = _answer(one)
    fields = ", ".join(
        str(path.get("path", "")) for path in (one.get("paths") or ())[:_PATHS] if isinstance(path, dict)
    )
    what = f"{one.get('operation', 'write')}{f' of {fields}' if fields else ''}"
    under = f", under grant {one['grant']}" if one.get("grant") else ""
    text = one_line(f"{what} {answer.word} ({one.get('would') or one.get('code')}){under}")
    return Event(
        str(one["time"]),
        one_line(str(one.get("user") or "somebody")),
        text,
        answer.tone if answer.tone != "well" else "",
    )


def _answer(one: Mapping[str, Any]) -> words.Sign:
    if not one.get("allowed"):
        return _REFUSED
    if one.get("grant"):
        return _GRANTED
    return _WOULD if one.get("would") else _ADMITTED
