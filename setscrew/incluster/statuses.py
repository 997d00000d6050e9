"""Owns the status of our own objects as a value: mode, state, conditions with stable reasons. Pure; must not write one.

Whoever may read the object reads its status, which are more people than may read Secrets: what a renderer quotes of
what it could not read is left to `setscrew source list`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.limits import OBJECT_TEXT_CHARS
from reconciler.model.instant import stamp_of
from reconciler.model.tree import dig
from reconciler.policy.grant import Grant
from reconciler.policy.granting import state, username
from reconciler.report.printable import one_line
from reconciler.snapshot.model import SourceState
from reconciler.source.spec import GitSource
from setscrew.incluster.objects import INVALID, Fault

Status = dict[str, Any]
READY: Final = "Ready"
VERIFIED: Final = "Verified"
STALE: Final = "Stale"
PENDING: Final = "Pending"
PUBLISHING: Final = "Publishing"
ACCEPTED: Final = "Accepted"
REFUSED: Final = "Refused"
_CODE: Final = re.compile(r"\[(SS\d{4})\]\s*$")
# States whose messages quote what stands in Git.
_QUOTING: Final = frozenset({"RenderFailed"})
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its time."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source: its row of the store, what is enforced of it, and how many objects it declares."""

    source: GitSource | None = None
    row: Mapping[str, Any] | None = None
    enforced: SourceState | None = None
    objects: int = 0


def source_status(facts: Facts, fault: Fault | None) -> tuple[Status, list[Condition]]:
    """The status of a GitSource, and its conditions."""
    row, enforced = facts.row or {}, facts.enforced
    status = {
        "mode": _mode(row, enforced),
        "ref": str(facts.source.ref) if facts.source is not None and not fault else "",
        "revision": enforced.revision if enforced is not None else "",
        "commit": enforced.commit if enforced is not None else "",
        "lastFetched": row.get("lastSuccess", ""),
        "objects": facts.objects,
        "signer": _line(enforced.signer) if enforced is not None else "",
    }
    conditions = [_ready(facts, fault)]
    if facts.source is not None and facts.source.verify.mode:
        conditions.append(_verified(row, enforced))
    conditions.append(_stale(row))
    return {key: value for key, value in status.items() if value != ""}, conditions


def policy_status(objects: int, fault: Fault | None) -> tuple[Status, list[Condition]]:
    """The status of a DriftPolicy, and its conditions."""
    ready = Condition(READY, "True", ACCEPTED, f"{objects} guarded objects have their settings from it")
    return {"objects": objects}, [_of_fault(fault) if fault is not None else ready]


def grant_status(grant: Grant | None, fault: Fault | None, now: float) -> tuple[Status, list[Condition]]:
    """The status of a DriftGrant at `now` (Unix seconds), and its conditions."""
    if grant is None:
        found = fault or Fault(INVALID, "it cannot be read")
        return {"state": REFUSED}, [_of_fault(found)]
    words = [word for name in ("refs", "kinds", "namespaces", "paths") for word in getattr(grant.scope, name)]
    status = {
        "state": state(grant, now),
        "until": stamp_of(grant.not_after),
        "subjects": _some([username(one) for one in grant.subjects]),
        "scope": _some(words),
        **({"revoked": stamp_of(grant.revoked), "revokedFor": _line(grant.revoked_for)} if grant.revoked else {}),
    }
    said = {
        "InForce": ("True", f"in force until {status['until']}"),
        "Waiting": ("False", f"it begins at {stamp_of(grant.not_before)}"),
        "Ended": ("False", f"it ended at {status['until']}; what was written under it stays, as drift"),
        "Revoked": ("False", f"revoked since {stamp_of(grant.revoked)}; what was written under it stays, as drift"),
    }
    holds, message = said[status["state"]]
    return status, [Condition(READY, holds, status["state"], message)]


def whole(
    before: Mapping[str, Any], generation: int, status: Status, conditions: Iterable[Condition], now: float
) -> Status:
    """The status as it is written; a condition keeps the time since when it has the status that it had `before`."""
    known = {one.get("type"): one for one in before.get("conditions") or () if isinstance(one, dict)}
    listed = [
        {
            "type": one.type,
            "status": one.status,
            "observedGeneration": generation,
            "lastTransitionTime": _since(known.get(one.type), one, now),
            "reason": one.reason,
            "message": _line(one.message),
        }
        for one in conditions
    ]
    return {"observedGeneration": generation, **status, "conditions": listed}


def without_times(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status but for what only says when: two that are alike in the rest need not be written at once."""
    return {key: value for key, value in status.items() if key != "lastFetched"}


def reason_of(status: Mapping[str, Any]) -> str:
    """The reason of the condition Ready, "" where there is none."""
    conditions = status.get("conditions")
    found = (dig(one, "reason") for one in conditions or () if dig(one, "type") == READY)
    reason = next(found, "")
    return reason if isinstance(reason, str) else ""


def _mode(row: Mapping[str, Any], enforced: SourceState | None) -> str:
    if row.get("state") in {"Suspended", "Held"}:
        return str(row["state"])
    if enforced is None:
        return "New"
    return str(row.get("mode") or "new").capitalize()


def _ready(facts: Facts, fault: Fault | None) -> Condition:
    row, enforced = facts.row or {}, facts.enforced
    if fault is not None:
        return _of_fault(fault)
    found = str(row.get("state") or PENDING)
    if found == PENDING or not row:
        return Condition(READY, "Unknown", PENDING, "it has not been looked at yet")
    if found != READY:
        return Condition(READY, "False", found, _message(row, found))
    if enforced is None or row.get("enforced") != enforced.revision:
        return Condition(READY, "Unknown", PUBLISHING, f"{row.get('enforced')} is read, and not enforced yet")
    if row.get("mode") != "enforced":
        name = row.get("name")
        why = "it is compared with the cluster first"
        watched = f"nothing of it is refused until `setscrew enforce {name}`"
        return Condition(READY, "True", "Watched", watched if row.get("mode") == "watched" else why)
    return Condition(READY, "True", "Enforced", f"{enforced.revision} is enforced")


def _message(row: Mapping[str, Any], found: str) -> str:
    message = str(row.get("message") or "")
    if found not in _QUOTING:
        return message or found
    code = _CODE.search(message)
    shown = f" [{code[1]}]" if code else ""
    return f"{row.get('attempted') or 'its newest revision'} cannot be rendered; `setscrew source list` says why{shown}"


def _verified(row: Mapping[str, Any], enforced: SourceState | None) -> Condition:
    if row.get("state") == "VerifyFailed":
        return Condition(VERIFIED, "False", "VerifyFailed", _message(row, "VerifyFailed"))
    if enforced is None or not enforced.signer:
        return Condition(VERIFIED, "Unknown", PENDING, "nothing of it is enforced that is signed")
    return Condition(VERIFIED, "True", "Signed", f"signed by {enforced.signer}")


def _stale(row: Mapping[str, Any]) -> Condition:
    if row.get("stale"):
        since = row.get("staleSince")
        return Condition(STALE, "True", STALE, f"it could not be followed since {since}; what was enforced stays")
    return Condition(STALE, "False", "Followed", "it is followed")


def _of_fault(fault: Fault) -> Condition:
    return Condition(READY, "False", fault.reason, fault.message)


def _since(known: Mapping[str, Any] | None, one: Condition, now: float) -> str:
    same = known is not None and known.get("status") == one.status
    return str(known.get("lastTransitionTime") or stamp_of(now)) if same and known is not None else stamp_of(now)


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return _line(", ".join(words[:_SHOWN]) + more)


def _line(text: str) -> str:
    return one_line(text)[:OBJECT_TEXT_CHARS]
