"""Owns the span of time in which the guard did not see writes, and who is told of one. Must not know how it is found.

Three things find one: the API server's own count of calls that it let pass unanswered, the canary (a change that must
be refused and is not), and the registration (away, or cut down). Nothing here guesses who is to blame.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

BlindCause = Literal["fail-open", "canary", "registration"]

# How the canary may stand. `silent`: writes are refused because nobody answers; `unsure`: nothing could be proved;
# `waiting`: nothing that is enforced can be tried yet; `off`: the guard is switched off.
CANARY_STATES: Final = ("sees", "blind", "silent", "unsure", "waiting", "off", "not-configured")


@dataclass(frozen=True, slots=True)
class Blind:
    """The guard was blind from `since` to `until` (None: still is).

    `entries` are names of webhook entries (none: all), `writes` how many calls passed unjudged where that is counted,
    `detail` says in one line what is known.
    """

    cause: BlindCause
    since: datetime
    until: datetime | None = None
    entries: tuple[str, ...] = ()
    writes: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Slipped:
    """One write of a guarded object that went through unjudged, as the API server's audit log has it.

    `id` is that of the audit event, `time` RFC 3339, `user` the effective user, `resource` the plural, `entry` the
    webhook entry that was asked in vain, `status` the HTTP status of the answer, `agent` what the client calls itself.
    All texts are printable and bounded.
    """

    id: str
    time: str
    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    subresource: str
    entry: str
    status: int
    agent: str = ""


class BlindLog(Protocol):
    """Keeps the spans. One span a cause is open at a time; both calls may be repeated and never raise."""

    def begin(self, blind: Blind) -> None:
        """Open a span, or add to the open one of the same cause: entries are joined, writes summed, detail replaced."""

    def end(self, cause: BlindCause, until: datetime) -> None:
        """Close the open span of `cause`, if there is one."""
