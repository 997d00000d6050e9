"""Owns what a step of the demo is: a real command, the answer that is announced, and what must be true afterwards.

Must not run anything: the demo and its integration test play the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from setscrew.demo.stage import Stage

Answer = Literal["refused", "allowed", "drift", "failed"]
Probe = Callable[[Stage], str]

ADMIN = "admin"
DANA = "dana"
ARGOCD = "argocd"
CONTROLLER = "deployment-controller"


@dataclass(frozen=True, slots=True)
class Check:
    """What must be true after the answer: `probe` gives `wants` within `seconds`. `says` tells people what that is."""

    says: str
    probe: Probe
    wants: str
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One command as a person types it, program first (kubectl, setscrew, git), and the answer it must get.

    `expect`: "refused" is a denial by Setscrew's webhook, "allowed" success, "drift" a report with findings. Every text
    of `says` must stand in the output. `editor` edits what `kubectl edit` opens. `prepare` does beforehand what `why`
    tells (commits a file).
    """

    title: str
    why: str
    argv: tuple[str, ...]
    expect: Answer
    who: str = ADMIN
    says: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    stdin: str = ""
    editor: str = ""
    prepare: Callable[[Stage], None] | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Steps that belong together; `before` sets the stage for them (starts Setscrew) and may wait."""

    title: str
    text: str
    steps: tuple[Step, ...]
    before: tuple[tuple[str, Callable[[Stage], object]], ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A check as it came out: what was seen, and after how many seconds since the command began."""

    check: Check
    seen: str
    seconds: float

    @property
    def right(self) -> bool:
        """Whether what was seen is what had to be."""
        return self.seen == self.check.wants


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step as it came out; `output` is verbatim, `seconds` is the command alone."""

    step: Step
    answer: Answer
    output: str
    seconds: float
    held: tuple[Held, ...] = field(default=())

    @property
    def missing(self) -> tuple[str, ...]:
        """Texts that the answer had to contain and does not."""
        return tuple(text for text in self.step.says if text not in self.output)

    @property
    def right(self) -> bool:
        """Whether everything is as announced."""
        return self.answer == self.step.expect and not self.missing and all(one.right for one in self.held)
