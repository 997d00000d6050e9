"""Owns the past of one object as the API of an instance tells it: who did what when, oldest first. Pure.

Must not ask anybody. A write that admission recorded counts once: what managedFields and the audit log add to it is
joined, what they alone know of has an entry of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

Event = Literal[
    "denied",
    "warned",
    "allowed",
    "granted",
    "written",
    "detected",
    "changed",
    "resolved",
    "healed",
    "heal-failed",
    "fight",
]
Item = Mapping[str, Any]
_OVER: Final = ("resolved", "healed")
_DENIAL: Final = "denied"
_SECOND: Final = len("2026-01-31T22:30:00")


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to the object. `time` is RFC 3339; `paths` are pointers.

    `confidence` says how it is known who did it: admission, audit, managedFields, or "" where nobody did. `code` is
    that of the decision, `detail` what else was noted.
    """

    time: str
    event: Event
    user: str = ""
    manager: str = ""
    user_agent: str = ""
    verb: str = ""
    paths: tuple[str, ...] = ()
    confidence: str = ""
    code: str = ""
    grant: str = ""
    detail: str = ""
    request_uid: str = ""
    audit_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """The moment in the spelling of the report."""
        names = {"user_agent": "userAgent", "request_uid": "requestUID", "audit_id": "auditID"}
        found = asdict(self)
        return {names.get(name, name): list(value) if name == "paths" else value for name, value in found.items()}


def timeline(findings: Iterable[Item], history: Iterable[Item], decisions: Iterable[Item]) -> tuple[Moment, ...]:
    """All moments, oldest first. `findings` are open or over, `history` is what was noted of them."""
    decided = [_decided(one) for one in decisions if one.get("time") and "allowed" in one]
    for finding in findings:
        decided = _joined(decided, finding)
        decided += _written(decided, finding)
    moments = [*decided, *(_noted(one) for one in history)]
    # What was done at a time is told before what was seen of it.
    return tuple(sorted(moments, key=lambda one: (one.time, one.confidence == "")))


def _decided(one: Item) -> Moment:
    allowed, grant = bool(one.get("allowed")), str(one.get("grant") or "")
    event: Event = "denied" if not allowed else "granted" if grant else "warned" if one.get("would") else "allowed"
    return Moment(
        time=str(one["time"]),
        event=event,
        user=str(one.get("user") or ""),
        verb=_verb(one),
        paths=tuple(str(path.get("path")) for path in one.get("paths") or () if isinstance(path, dict)),
        confidence="admission",
        code=str(one.get("would") or one.get("code") or ""),
        grant=grant,
        request_uid=str(one.get("uid") or ""),
    )


def _verb(one: Item) -> str:
    operation, subresource = str(one.get("operation") or "").lower(), str(one.get("subresource") or "")
    return f"{operation}/{subresource}" if subresource else operation


def _joined(decided: Sequence[Moment], finding: Item) -> list[Moment]:
    """Recorded writes with what the finding knows of them beside."""
    by: Item = finding.get("attribution") or {}
    return [
        replace(one, manager=str(by.get("manager") or ""), user_agent=str(by.get("userAgent") or ""))
        if one.request_uid and one.request_uid == by.get("requestUID")
        else one
        for one in decided
    ]


def _written(decided: Sequence[Moment], finding: Item) -> Iterator[Moment]:
    """Writes that no decision is known of, one for all that somebody wrote at one time."""
    by: Item = finding.get("attribution") or {}
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for change in finding.get("changes") or ():
        user, manager, time = (str(change.get(name) or "") for name in ("user", "manager", "time"))
        path = str(change.get("path") or "")
        if time and not _is_recorded(decided, user, path, time):
            groups.setdefault((time, user, manager, str(change.get("operation") or "").lower()), []).append(path)
    for (time, user, manager, verb), paths in groups.items():
        passed = bool(user) and by.get("confidence") == "audit" and user == by.get("user")
        yield Moment(
            time=time,
            event="written",
            user=user,
            manager=manager,
            user_agent=str(by.get("userAgent") or "") if passed else "",
            verb=verb,
            paths=tuple(paths),
            confidence="audit" if passed else "admission" if user else "managedFields",
            audit_id=str(by.get("auditID") or "") if passed else "",
        )
    if by.get("confidence") == "audit" and not finding.get("changes"):
        yield Moment(
            time=str(by.get("time") or ""),
            event="written",
            user=str(by.get("user") or ""),
            user_agent=str(by.get("userAgent") or ""),
            verb=str(by.get("verb") or ""),
            confidence="audit",
            audit_id=str(by.get("auditID") or ""),
        )


def _is_recorded(decided: Iterable[Moment], user: str, path: str, time: str) -> bool:
    """Whether an admitted write of that path is known that the user, or else the time, stands for."""
    return any(
        one.event != _DENIAL
        and path in one.paths
        and (one.user == user if user else one.time[:_SECOND] == time[:_SECOND])
        for one in decided
    )


def _noted(one: Item) -> Moment:
    event: Event = one["event"]
    paths = tuple(str(path) for path in one.get("paths") or one.get("fields") or ())
    who = str(one.get("who") or one.get("opponent") or "")
    detail = str(one.get("reason") or one.get("detail") or one.get("message") or one.get("code") or "")
    return Moment(
        str(one.get("time") or ""), event, paths=paths, detail="; ".join(filter(None, (detail, _by(event, who))))
    )


def _by(event: str, who: str) -> str:
    """Whom a finding named when it was noted; of its end, whose change is over."""
    return f"{'was ' if event in _OVER else ''}by {who}" if who else ""
