"""Owns what a line of the API server's audit log says: was a write unjudged, and who wrote what. Pure.

The log quotes whoever made the requests: every text leaves here printable and cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from reconciler.limits import DECISION_NAME_CHARS
from reconciler.model.blind import Slipped
from reconciler.model.instant import stamp_milliseconds
from reconciler.model.own import ENTRY_SUFFIX
from reconciler.report.printable import one_line

FAILED_OPEN: Final = "failed-open.validating.webhook.admission.k8s.io/"
_DONE: Final = ("ResponseComplete", "Panic")
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class _User(msgspec.Struct):
    username: str = ""


class _Object(msgspec.Struct):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    group: str = msgspec.field(name="apiGroup", default="")
    subresource: str = ""


class _Status(msgspec.Struct):
    code: int = 0


class _Event(msgspec.Struct, kw_only=True):
    id: str = msgspec.field(name="auditID", default="")
    stage: str = ""
    verb: str = ""
    agent: str = msgspec.field(name="userAgent", default="")
    uri: str = msgspec.field(name="requestURI", default="")
    user: _User = msgspec.field(default_factory=_User)
    effective: _User | None = msgspec.field(name="impersonatedUser", default=None)
    object: _Object = msgspec.field(name="objectRef", default_factory=_Object)
    status: _Status = msgspec.field(name="responseStatus", default_factory=_Status)
    received: datetime = msgspec.field(name="requestReceivedTimestamp")
    answered: datetime = msgspec.field(name="stageTimestamp")
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    body: msgspec.Raw = msgspec.field(name="requestObject", default=msgspec.Raw(b""))


# Most lines are about neither, and need not be decoded; Go writes both words as they are.
_TOLD_BY: Final = (FAILED_OPEN.encode(), b"webhookconfigurations")
_DECODER: Final = msgspec.json.Decoder(_Event)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One answered write.

    `entries`: ours that were asked in vain, while the API server went on. `stored`: it took effect. `received` and
    `answered` are when the API server began and ended with it.
    """

    received: datetime
    answered: datetime
    entries: tuple[str, ...]
    stored: bool
    write: Slipped


def read_event(line: bytes) -> AuditEvent | None:
    """The write that a line is about: unjudged, or of a registration; None where it is neither, or cannot be read."""
    if not any(word in line for word in _TOLD_BY):
        return None
    try:
        event = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    zoned = event.received.tzinfo is not None and event.answered.tzinfo is not None
    if event.stage not in _DONE or event.verb not in _WRITES or not zoned:
        return None
    ours = (name for key, name in event.annotations.items() if key.startswith(FAILED_OPEN))
    entries = tuple(sorted({_short(name) for name in ours if name.endswith(ENTRY_SUFFIX)}))
    stored = 200 <= event.status.code < 300 and not _is_dry_run(event)
    return AuditEvent(event.received, event.answered, entries, stored, _write(event, entries))


def _write(event: _Event, entries: tuple[str, ...]) -> Slipped:
    place = event.object
    return Slipped(
        id=_short(event.id),
        time=stamp_milliseconds(event.received),
        user=_who(event),
        verb=event.verb,
        group=_short(place.group),
        resource=_short(place.resource),
        namespace=_short(place.namespace),
        name=_short(place.name),
        subresource=_short(place.subresource),
        entry=", ".join(entries)[:DECISION_NAME_CHARS],
        status=event.status.code,
        agent=_short(event.agent),
    )


def _who(event: _Event) -> str:
    """The effective user, and who took his place."""
    if event.effective is None or not event.effective.username:
        return _short(event.user.username)
    return f"{_short(event.effective.username)} (by {_short(event.user.username)})"


def _is_dry_run(event: _Event) -> bool:
    try:
        if parse_qs(urlsplit(event.uri).query).get("dryRun"):
            return True
    except ValueError:
        return False
    # Deletes say it in their body, which is there only where the audit policy keeps bodies.
    return event.verb in ("delete", "deletecollection") and bool(_options(bytes(event.body)).get("dryRun"))


def _options(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _short(text: str) -> str:
    return one_line(text)[:DECISION_NAME_CHARS]
