"""Owns what a reader of some namespaces is shown of findings. Must not know routes.

Who uses a GPU class is known by namespace, Pod and tenant, over the whole cluster: a reader of some namespaces is told
which rows a finding is about and when it acts, and of no user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from reconciler.report.query import Matching, Query
from webhook.api.access import Scope
from webhook.api.ports import ApiState

_SHOWN: Final = ("rows", "effect", "trigger")


def read_matching(state: ApiState, query: Query) -> Matching:
    """What the query chooses, each as who asks may see it."""
    found = state.matching(query)
    return found if query.scope is None else Matching([_narrowed_text(text) for text in found.texts], found.counts)


def read_finding(state: ApiState, identity: str, mine: Scope) -> dict[str, Any] | None:
    """One finding, as who asks may see it; None where there is none for him."""
    found = state.finding(identity)
    if found is None or mine is None:
        return found
    return _narrowed(found) if found["namespace"] in mine else None


def read_over(state: ApiState, identity: str, mine: Scope) -> dict[str, Any] | None:
    """The last finding of an object that is over, as who asks may see it; None where there is none for him."""
    found = state.over(identity)
    if found is None or mine is None:
        return found
    return _narrowed(found) if found["namespace"] in mine else None


def _narrowed_text(text: str) -> str:
    # Few findings are about a GPU class: the others are not decoded.
    return json.dumps(_narrowed(msgspec.json.decode(text))) if '"gpu"' in text else text


def _narrowed(item: Mapping[str, Any]) -> dict[str, Any]:
    users = item.get("gpu")
    if not isinstance(users, dict):
        return dict(item)
    return {**item, "gpu": {key: users[key] for key in _SHOWN if key in users}}
