"""Owns the rehearsal of a policy's action: what recorded decisions would have become. Must not read records."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Action

# What is admitted for another reason than the action is admitted under Deny as well.
_ADMITTED_ANYWAY: Final = frozenset({"granted", "unverified"})
# What is refused because nobody could judge it is refused under any action.
_REFUSED_ANYWAY: Final = frozenset({"internal-error", "no-snapshot"})


@dataclass(slots=True)
class Rehearsal:
    """The decisions that `action` would have turned, counted; `latest` holds the last of them, oldest first.

    `codes` count the reasons of refusals, `answers` the codes that were answered.
    """

    action: Action
    turned: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    latest: deque[Mapping[str, Any]] = field(default_factory=deque)


def rehearse(decisions: Iterable[Mapping[str, Any]], action: Action, limit: int) -> Rehearsal:
    """Go over records as they are stored, those that were admitted (Deny) or refused (Warn, Audit); keep `limit`."""
    found = Rehearsal(action, latest=deque(maxlen=limit))
    for decision in decisions:
        if not turns(decision, action):
            continue
        found.turned += 1
        found.objects[object_of(decision)] += 1
        found.users[str(decision.get("user", ""))] += 1
        found.codes[reason(decision)] += 1
        found.answers[str(decision.get("code", ""))] += 1
        found.latest.append(decision)
    return found


def turns(decision: Mapping[str, Any], action: Action) -> bool:
    """True if the answer would have been the opposite under `action`."""
    code = decision.get("code")
    if action == "Deny":
        return bool(decision.get("allowed") and decision.get("would")) and code not in _ADMITTED_ANYWAY
    return decision.get("allowed") is False and code not in _REFUSED_ANYWAY


def reason(decision: Mapping[str, Any]) -> str:
    """The code under which it was refused, or would have been."""
    return str(decision.get("would") or decision.get("code", ""))


def object_of(decision: Mapping[str, Any]) -> str:
    """The object as denials print it: `Deployment.apps shop/web`."""
    return str(ObjectRef(*(str(decision.get(part, "")) for part in ("group", "kind", "namespace", "name"))))
