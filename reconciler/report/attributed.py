"""Owns who is named for a finding: the record of admissions, then the API server's audit log, then managedFields. Pure.

The one is named whose write made the live value: of several who wrote a path the last, and nobody whom the value that
is there now contradicts, nor the time that managedFields have for it. Writes that did not touch what differs (a status,
another field), and those from before the object was last in sync, name nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.compare.mask import MASK
from reconciler.limits import DENIAL_VALUE_CHARS
from reconciler.model.instant import stamp
from reconciler.model.tree import ABSENT, strict_equal
from reconciler.report.drift import Attributed, Attribution, DriftChange, DriftItem
from reconciler.report.granted import DEPARTURES, SECOND, newer, touches
from reconciler.report.printable import printable

Record = Mapping[str, Any]

# Records of what only follows from a delete: what the cluster's own machinery takes along, and the last updates.
_FOLLOWING: Final = ("system-controller", "terminating")
_DELETES: Final = ("delete", "deletecollection")
_WRITES: Final = ("create", "update", "patch")
_RANKS: Final[tuple[Attributed, ...]] = ("none", "managedFields", "audit", "admission")
# managedFields have whole seconds. The audit log has when the request came in: others are asked before the time is set.
_SLACK_SECONDS: Final = 1
_EARLIER_SECONDS: Final = 5
# The webhook hears of a write after that time is set, and says when it had an answer.
_LATER_SECONDS: Final = 10


def attributed(
    item: DriftItem,
    records: Sequence[Record],
    slipped: Sequence[Record] = (),
    around: Sequence[Record] = (),
    since: str = "",
) -> DriftItem:
    """The finding with who made it so.

    `records` are the admitted decisions about the object, `around` those about its namespace, `slipped` the writes of
    it that the audit log names because nobody judged them; each newest first. What was written up to `since`, when the
    object was last seen in sync (RFC 3339; "": never), has not made it so.
    """
    if item.state == "extra":
        made = _maker(records, item.attribution.time)
        return replace(item, attribution=_admission(made, item.attribution.manager)) if made else item
    records, slipped, around = (newer(some, since) for some in (records, slipped, around))
    if item.state == "missing":
        return _deleted(item, records, slipped, around)
    if item.state != "drifted":
        return item
    found = [_of_change(change, records, slipped) for change in item.changes]
    changes = tuple(replace(one, user=by.user) for one, by in zip(item.changes, found, strict=True))
    return replace(item, changes=changes, attribution=_best(found))


def _maker(records: Sequence[Record], born: str) -> Record | None:
    """The first create since the object's birth: later ones failed, for it was there, and those before made another."""
    low, high = _moved(born, -_SLACK_SECONDS), _moved(born, _LATER_SECONDS)
    made = [one for one in records if one.get("operation") == "CREATE" and low <= _second(one) <= high]
    return made[-1] if made else None


def _best(found: Iterable[Attribution]) -> Attribution:
    """Of several who wrote: who is known best, and of these the last."""
    return max(found, key=lambda one: (_RANKS.index(one.confidence), one.time), default=Attribution())


def _of_change(change: DriftChange, records: Sequence[Record], slipped: Sequence[Record]) -> Attribution:
    managed, dated = _managed(change), _dated(change)
    record = _departure([one for one in records if _in_time(one, change, dated)], change.path)
    known = _says(record, change) if record else False
    wrote = (one for one in slipped if one.get("verb") in _WRITES and _took_effect(one))
    passed = next((one for one in wrote if not dated or _at(one, dated)), None)
    if record is None or known is False:
        return _audit(passed, managed.manager) if passed else managed
    sure = known and (not dated or _at(record, dated))
    if passed and not sure and _later(passed, record):
        return _audit(passed, managed.manager)
    return _admission(record, managed.manager)


def _dated(change: DriftChange) -> str:
    """When the value came about, as managedFields have it; "" where they do not know: of what is gone, and of order."""
    return "" if change.live is ABSENT or change.klass == "order" else change.time


def _in_time(record: Record, change: DriftChange, dated: str) -> bool:
    """Whether a write may have made a value of that time: not if it came later, unless it asked for this very value."""
    return not dated or _second(record) <= _moved(dated, _LATER_SECONDS) or _says(record, change) is True


def _managed(change: DriftChange) -> Attribution:
    if not change.manager:
        return Attribution()
    verb = change.operation.lower()
    return Attribution(manager=change.manager, time=change.time, verb=verb, confidence="managedFields")


def _departure(records: Sequence[Record], path: str) -> Record | None:
    """The newest write that let something away from Git at that path; of one that names no path only if none does."""
    written = [one for one in records if one.get("code") in DEPARTURES and one.get("operation") != "DELETE"]
    named = (one for one in written if one.get("paths") and touches(one, path))
    return next(named, None) or next((one for one in written if not one.get("paths")), None)


def _says(record: Record, change: DriftChange) -> bool | None:
    """Whether the write asked for the value that is there now; None where the record does not tell.

    Of an item of a list it may tell twice: what went, and what came in its place.
    """
    told = [
        _agrees(str(one.get("now", "")), change) for one in record.get("paths") or () if one.get("path") == change.path
    ]
    if True in told:
        return True
    return None if None in told or not told else False


def _agrees(now: str, change: DriftChange) -> bool | None:
    if change.embedded or change.klass == "order":
        return None
    if MASK in now or "\\" in now or len(now) >= DENIAL_VALUE_CHARS:
        return None
    if now == "nothing" or change.live is ABSENT or change.live is None:
        return now == "nothing" and (change.live is ABSENT or change.live is None)
    try:
        return strict_equal(json.loads(now), change.live)
    except (ValueError, RecursionError):
        return None  # lines of a text, with their number


def _took_effect(write: Record) -> bool:
    return 200 <= int(write.get("status", 0)) < 300 and write.get("subresource") in ("", "scale")


def _at(write: Record, dated: str) -> bool:
    """Whether a write is of that time, and not merely before it."""
    return _moved(dated, -_EARLIER_SECONDS) <= _second(write) <= _moved(dated, _SLACK_SECONDS)


def _moved(time: str, seconds: int) -> str:
    """The second so much later; as it is where it is no time."""
    try:
        return stamp(datetime.fromisoformat(time) + timedelta(seconds=seconds))[:SECOND]
    except (ValueError, OverflowError):
        return time


def _second(record: Record) -> str:
    return str(record.get("time", ""))[:SECOND]


def _later(write: Record, record: Record) -> bool:
    return str(write.get("time", "")) > str(record.get("time", ""))


def _deleted(
    item: DriftItem, records: Sequence[Record], slipped: Sequence[Record], around: Sequence[Record]
) -> DriftItem:
    """Who deleted what is missing, or the namespace that took it along."""
    own, outer = ([one for one in some if one.get("code") not in _FOLLOWING] for some in (records, around))
    last = max((*own[:1], *outer[:1]), key=lambda one: str(one.get("time", "")), default=None)
    if last is None:
        last = next((one for one in records if one.get("operation") == "DELETE"), None)
    passed = next((one for one in slipped if one.get("verb") in _DELETES and _took_effect(one)), None)
    if passed and not (last and _later(last, passed)):
        return _named(item, _audit(passed))
    if last is None or last.get("operation") != "DELETE":
        return item
    return _named(item, _admission(last))


def _named(item: DriftItem, by: Attribution) -> DriftItem:
    reason = f"{by.user} deleted it at {by.time}, and it is not back although Git declares it"
    return replace(item, reason=reason, attribution=by)


def _admission(record: Record, manager: str = "") -> Attribution:
    groups = record.get("groups")
    return Attribution(
        manager=manager,
        user=_text(record, "user"),
        groups=tuple(str(printable(one)) for one in groups) if isinstance(groups, list) else (),
        verb=_text(record, "operation").lower(),
        time=_text(record, "time"),
        request_uid=_text(record, "uid"),
        confidence="admission",
    )


def _audit(write: Record, manager: str = "") -> Attribution:
    user, verb = _text(write, "user"), _text(write, "verb")
    at, identity, agent = (_text(write, name) for name in ("time", "id", "agent"))
    return Attribution(
        manager=manager, user=user, verb=verb, time=at, audit_id=identity, user_agent=agent, confidence="audit"
    )


def _text(record: Record, name: str) -> str:
    return str(printable(str(record.get(name, ""))))
