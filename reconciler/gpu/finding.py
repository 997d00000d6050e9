"""Owns what is found within an embedded document, before it is said of which object. Must not read or judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.gpu.problem import Problem, Severity
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem by its place in the document."""

    rule: str
    severity: Severity
    at: Path
    message: str
    fix: str

    def below(self, path: Path, words: str) -> Finding:
        """The same in a larger document, its message introduced by `words`."""
        return replace(self, at=(*path, *self.at), message=f"{words}: {self.message}")

    def within(self, ref: ObjectRef, path: Path) -> Problem:
        """The same as a problem of the object whose string at `path` holds the document."""
        return Problem(self.rule, self.severity, ref, path, self.message, self.fix, self.at)
