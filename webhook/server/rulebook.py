"""Owns where rules about GPU classes are asked: in a thread, never on the loop. Must not hold a rule.

Loading them takes a tenth of a second, once; judging by them parses documents and reads what Git declares beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.model.ref import ObjectRef
from webhook.decision import rulebook
from webhook.decision.rulebook import Scope
from webhook.decision.verdict import Verdict
from webhook.server.documents import TooBigForLoopError, on_loop

if TYPE_CHECKING:
    from reconciler.gpu.problem import Problem


def new_errors(verdict: Verdict, ref: ObjectRef, scope: Scope) -> Sequence[Problem]:
    """As `webhook.decision.rulebook.new_errors`. Raises TooBigForLoopError on a loop."""
    if on_loop():
        raise TooBigForLoopError
    return rulebook.new_errors(verdict, ref, scope)
