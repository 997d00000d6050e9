"""Owns what is known of a change of the registration by others, in words. Pure. Must not guess.

managedFields name the program that wrote a field and when, never the person; of a deletion only its time is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.model.instant import stamp
from reconciler.model.own import REGISTRATION
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant
from webhook.registration.ownership import writers

_GROUP: Final = "admissionregistration.k8s.io"
# As denials name objects, and as people do.
_REFS: Final = tuple(ObjectRef(group, "ValidatingWebhookConfiguration", "", REGISTRATION) for group in (_GROUP, ""))


def happened(live: Mapping[str, Any] | None, right: datetime, now: datetime, user: Callable[[datetime], str]) -> str:
    """What others have done to it since it was `right`. `user` names who, where an audit log tells."""
    if live is None:
        text = f"it was deleted, seen at {stamp(now)}"
    elif edit := _edit(live, right):
        text = f"{edit[1]} has edited it at {edit[0]}"
    else:
        text = f"it was edited, seen at {stamp(now)}; its managedFields do not name by what"
    who = user(right)
    return f"{text}, by {who}" if who else text


def since(live: Mapping[str, Any] | None, right: datetime, now: datetime) -> datetime:
    """When that was, as far as it is known."""
    edit = None if live is None else _edit(live, right)
    return min(now, moment(edit[0]) or now) if edit else now


def covered(grants: Iterable[Grant], now: datetime) -> str:
    """The grant under which the registration may be away, in words; "" if there is none.

    One that names paths is for a part of an object, and covers none as a whole.
    """
    for grant in grants:
        whole = not grant.scope.paths and any(grant.scope.takes_in(ref) for ref in _REFS)
        if whole and grant.holds(now.timestamp()):
            end = datetime.fromtimestamp(grant.not_after, UTC)
            return f"grant {grant.id} covers it until {stamp(end)}"
    return ""


def moment(text: str) -> datetime | None:
    """The time that a text begins with, RFC 3339; None for what is no such text."""
    try:
        found = datetime.fromisoformat(text.partition(" ")[0])
    except ValueError:
        return None
    return found if found.tzinfo else None


def _edit(live: Mapping[str, Any], right: datetime) -> tuple[str, str] | None:
    """Time and manager of the newest edit, if it came after it was right: managedFields count whole seconds."""
    newest = next(writers(live), None)
    at = moment(newest[0]) if newest else None
    return newest if newest and at and at >= right.replace(microsecond=0) else None
