"""Owns what a check says, and how it says that it could not look. Pure. Must not know what is checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from reconciler.report.printable import one_line

State = Literal["ok", "warning", "problem", "unknown"]

PROBLEM: Final = 1
UNSEEN: Final = 3
# The fix of much that is not there.
RUN: Final = "start `setscrew run`"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found; `fix` is what to do about it, "" where nothing is to be done."""

    check: str
    state: State
    what: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """As it is printed: one line each, nothing that a terminal would obey."""
        return {"check": self.check, "state": self.state, "what": one_line(self.what), "fix": one_line(self.fix)}


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact that could not be learned: why, and what would help."""

    why: str
    fix: str = ""


class MissingError(Exception):
    """A check needs a fact that is missing."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.why)
        self.missing = missing


def need(fact: T | Missing) -> T:
    """The fact itself. Raises MissingError, which makes the check unknown."""
    if isinstance(fact, Missing):
        raise MissingError(fact)
    return fact


def status(findings: Collection[Finding], *, seen: bool) -> int:
    """The exit status: 1 with a problem, 0 without one; 3 where all is well only as far as could be looked (`seen`)."""
    if any(one.state == "problem" for one in findings):
        return PROBLEM
    return 0 if seen else UNSEEN


def summary(findings: Collection[Finding]) -> dict[str, Any]:
    """How many findings there are of each state."""
    states: tuple[State, ...] = ("ok", "warning", "problem", "unknown")
    return {state: sum(one.state == state for one in findings) for state in states}
