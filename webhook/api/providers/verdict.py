"""Owns what is said of one delivery: accept, reject or ignore, and which refs of which repository moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from reconciler.limits import PUSH_DELIVERY_CHARS, PUSH_EVENT_CHARS, PUSH_REFS

Result = Literal["accept", "reject", "ignore"]
Fault = Literal["", "proof", "shape"]


@dataclass(frozen=True, slots=True)
class PushedRef:
    """One ref of an event: full name (of an artifact: its tag), and the new id as sent.

    `sha` is None for a deleted ref, and for one whose sender need not tell the id.
    """

    ref: str
    sha: str | None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a delivery is. `repos` are all spellings of the repository's URL, `fault` says why a reject is one.

    Accepted without `refs`, it is about all refs of the repository: its sender does not say which.
    """

    result: Result
    event: str = ""
    refs: tuple[PushedRef, ...] = ()
    repos: tuple[str, ...] = ()
    delivery: str = ""
    reason: str = ""
    fault: Fault = ""

    def as_json(self) -> dict[str, Any]:
        """As `setscrew receiver verify` prints it."""
        return {
            "result": self.result,
            "event": self.event,
            "refs": [{"ref": item.ref, "sha": item.sha} for item in self.refs],
            "repo": self.repos[0] if self.repos else "",
            "reason": self.reason,
        }


def pushed(refs: Iterable[PushedRef], repos: tuple[str, ...], delivery: str = "") -> Verdict:
    """Refs moved; `delete` if all of them went. Raises ValueError where there are too many."""
    found = tuple(refs)
    if len(found) > PUSH_REFS:
        raise ValueError(f"more than {PUSH_REFS} refs")
    gone = bool(found) and all(item.deleted for item in found)
    return Verdict("accept", "delete" if gone else "push", found, repos, _plain(delivery, PUSH_DELIVERY_CHARS))


def ping(delivery: str = "") -> Verdict:
    """The sender only asks whether anybody is there."""
    return Verdict("ignore", "ping", delivery=_plain(delivery, PUSH_DELIVERY_CHARS), reason="ping")


def other(event: str, delivery: str = "") -> Verdict:
    """An event that moves no ref."""
    reason = "not an event that moves a ref"
    name, number = _plain(event, PUSH_EVENT_CHARS), _plain(delivery, PUSH_DELIVERY_CHARS)
    return Verdict("ignore", name, delivery=number, reason=reason)


def unproven(by: str) -> Verdict:
    """`by` names the header that was to prove it; strangers are not told."""
    return Verdict("reject", reason=f"missing or wrong: {by}", fault="proof")


def malformed(reason: str) -> Verdict:
    """Proven, but not the payload of that event."""
    return Verdict("reject", reason=reason, fault="shape")


def _plain(text: str, longest: int) -> str:
    """What a store and a log can hold of a text that JSON or a header brought."""
    return text[:longest].encode("utf-8", "replace").decode()
