"""Owns what a rule finds: which rule, where, why, what to do. Must not know rules or how findings are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of the rule `rule` ("MIG-04") in one object.

    `path` leads to the value (inside an embedded document: to the string in the object), `embedded` on into the
    document. `message` says what is wrong with the values that matter; `fix` what to do, as an imperative.
    `absent`: something is nowhere to be seen, so only whoever sees all of the cluster can be sure.
    """

    rule: str
    severity: Severity
    ref: ObjectRef
    path: Path
    message: str
    fix: str
    embedded: Path = ()
    absent: bool = False
