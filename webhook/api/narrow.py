"""Owns what a reader of some namespaces is shown of findings. Must not know routes.

Who uses a GPU class is known by namespace, Pod and tenant, over the whole cluster: a reader of some namespaces is told
which rows a finding is about and when it acts, and of no user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from reconciler.report.line import Listed, line_of
from reconciler.report.query import IN_SYNC, Matching, Query
from webhook.api.access import Scope
from webhook.api.ports import ApiState

_SHOWN: Final = ("rows", "effect", "trigger")


def read_matching(state: ApiState, query: Query) -> Matching:
    """What the query chooses, each as who asks may see it; to be closed."""
    found = state.matching(query)
    if query.scope is None:
        return found
    with found:
        texts = [_narrowed_text(text) for text in found.texts]
    told = zip(found.lines, texts, strict=True)
    return Matching(texts, [_told_by(text, line) for line, text in told])


def read_in_sync(state: ApiState, query: Query, *, stale: bool) -> Matching:
    """What the query chooses of what has no finding. While the report is stale that proves nothing: then it is none."""
    if stale:
        return Matching((), ())
    return state.in_sync(replace(query, equal={**query.equal, "state": IN_SYNC}))


def read_finding(state: ApiState, identity: str, mine: Scope) -> dict[str, Any] | None:
    """One finding, as who asks may see it; None where there is none for him."""
    return _seen(state.finding(identity), mine)


def read_over(state: ApiState, identity: str, mine: Scope) -> dict[str, Any] | None:
    """The last finding of an object that is over, as who asks may see it; None where there is none for him."""
    return _seen(state.over(identity), mine)


def _seen(found: dict[str, Any] | None, mine: Scope) -> dict[str, Any] | None:
    if found is None or mine is None:
        return found
    return _narrowed(found) if found["namespace"] in mine else None


def _narrowed_text(text: str) -> str:
    # Few findings are about a GPU class: the others are not decoded.
    return json.dumps(_narrowed(msgspec.json.decode(text))) if '"gpu"' in text else text


def _told_by(text: str, line: Listed) -> Listed:
    """That of a text that may say less than what it was: what is not shown moves nothing."""
    return line if len(text) == line.size else Listed.of(line_of(text))


def _narrowed(item: Mapping[str, Any]) -> dict[str, Any]:
    users = item.get("gpu")
    if not isinstance(users, dict):
        return dict(item)
    return {**item, "gpu": {key: users[key] for key in _SHOWN if key in users}}
