"""Owns a violation: one path that a request may not move so, and why. Must not find or print them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from reconciler.compare.place import Finding, Inside
from reconciler.model.path import Path
from reconciler.model.tree import ABSENT, Tree

Kind = Literal["held", "default", "masked", "extra", "order", "metadata", "object"]


class Violation(NamedTuple):
    """`want`, `was`, `now` are ABSENT where there is no value; `why` is a clause for people.

    `inside`: the values are those of a place in the document that the string at `path` holds; `note`: why such a string
    was compared as text.
    """

    path: Path
    kind: Kind
    why: str
    want: Tree = ABSENT
    was: Tree = ABSENT
    now: Tree = ABSENT
    inside: Inside | None = None
    note: str = ""


def from_finding(finding: Finding) -> Violation:
    """What a finding of the comparison means once it cannot be permitted."""
    kind: Kind = "default" if finding.filled else "held"
    why = "Git leaves it to the default" if finding.filled else "Git declares it"
    if finding.verdict == "masked" and finding.mask is not None:
        kind, why = "masked", f"only the controller of rule {finding.mask.rule} may change it: {finding.mask.reason}"
    elif finding.whole and finding.want is ABSENT:
        kind, why = "held", "the list around it is one value, and Git declares it without this"
    elif finding.verdict == "extra":
        kind, why = "extra", "Git does not declare it"
    elif finding.verdict == "order":
        kind, why = "order", "the order has a meaning here, and Git declares it"
    return Violation(finding.path, kind, why, finding.want, finding.was, finding.now, finding.inside, finding.note)
