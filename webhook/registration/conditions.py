"""Owns the matchConditions (CEL) that keep calls away from the webhook. Must not know kinds.

A condition that fails to evaluate counts as a failed call, so each is total over what its entry's rules let in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

Condition = dict[str, str]

_CONTENT: Final = (("labels", "{}"), ("annotations", "{}"), ("finalizers", "[]"), ("ownerReferences", "[]"))

# `/status` of built-in kinds also writes these; a heartbeat or a status update changes none and makes no call.
METADATA_CHANGED: Final[Condition] = {
    "name": "metadata-changed",
    "expression": " || ".join(
        f"object.metadata.?{field}.orValue({empty}) != oldObject.metadata.?{field}.orValue({empty})"
        for field, empty in _CONTENT
    ),
}

_NAMELESS: Final = '!has(request.name) || request.name == ""'

# What controllers derive is theirs to write, and they write it all the time.
PEOPLE: Final[Condition] = {"name": "people", "expression": '!request.userInfo.username.startsWith("system:")'}


def not_canonicalizer(user: str) -> Condition:
    """All but the canonicalizer's dry-runs: the name alone is not enough, nor is a dry-run of somebody else."""
    # JSON's string escapes are a subset of CEL's, surrogate pairs excepted.
    literal = json.dumps(user, ensure_ascii=False)
    dry_run = "has(request.dryRun) && request.dryRun"
    return {"name": "not-the-canonicalizer", "expression": f"!(request.userInfo.username == {literal} && {dry_run})"}


def only_in(resources: Iterable[str], namespaces: Iterable[str]) -> str:
    """Requests for other resources, and those for `resources` in these namespaces."""
    other = f"!(request.resource.resource in {_strings(resources)})"
    return f"{other} || !has(request.namespace) || request.namespace in {_strings(namespaces)}"


def named(names: Iterable[str]) -> Condition:
    """Requests for objects of these names. Collection deletes come without one."""
    return {"name": "named", "expression": f"{_NAMELESS} || request.name in {_strings(names)}"}


def named_after(groups: Iterable[str]) -> Condition:
    """Requests for APIServices of these groups, whatever the version."""
    after = f'{_strings(groups)}.exists(group, request.name.endsWith("." + group))'
    return {"name": "named", "expression": f"{_NAMELESS} || {after}"}


def _strings(values: Iterable[str]) -> str:
    return json.dumps(sorted(values), ensure_ascii=False, separators=(",", ":"))
