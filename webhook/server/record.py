"""Owns the form of one decision record, as it goes to the state store. Pure; must not send it.

A record names paths and the printable, masked values of a denial, never the objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from reconciler.compare.mask import MASK
from reconciler.limits import (
    DECISION_CUT_CHARS,
    DECISION_CUT_ITEMS,
    DECISION_EXTRAS,
    DECISION_GROUPS,
    DECISION_NAME_CHARS,
    DENIAL_PATHS,
)
from reconciler.model.instant import stamp_milliseconds
from reconciler.model.tree import Tree, dig
from reconciler.snapshot.model import SnapshotView
from webhook.decision.blast import GPU_USERS
from webhook.decision.types import Cause, Decision, Identity, Request

# Some authenticators put what proves an identity beside it. Ids of credentials are no secrets, and lead to their owner.
_PROOF: Final = re.compile(r"assertion|token|secret|passw|private", re.IGNORECASE)


def decision_record(
    request: Request, decision: Decision, snapshot: SnapshotView | None, now: float, latency: float
) -> dict[str, object]:
    """One line of the table of decisions. `now` is Unix seconds, `latency` seconds; every string is bounded."""
    return {
        "time": stamp_milliseconds(datetime.fromtimestamp(now, UTC)),
        "uid": _short(request.uid),
        **_who(request.identity),
        "operation": request.operation,
        "group": _short(request.group),
        "version": _short(request.version),
        "kind": _short(_kind(request, snapshot)),
        "namespace": _short(request.namespace),
        "name": _short(request.name) or _metadata(request, "name"),
        "resource": _short(request.resource),
        "subresource": _short(request.subresource),
        "code": decision.code,
        "allowed": decision.allowed,
        "would": decision.would,
        "grant": _short(decision.grant),
        "policy": _short(decision.audit.get("policy", "")),
        "source": _short(decision.audit.get("source", "")),
        "revision": _short(decision.audit.get("revision", "")),
        "snapshot": snapshot.digest if snapshot else "",
        "paths": [_path(cause) for cause in decision.causes[:DENIAL_PATHS]],
        "morePaths": max(0, len(decision.causes) - DENIAL_PATHS),
        **_gpu_users(decision),
        "resourceVersion": _metadata(request, "resourceVersion"),
        "latency": round(latency, 6),
    }


def worth_recording(request: Request, decision: Decision) -> bool:
    """True for decisions about guarded objects, and for every refusal; a dry run leaves no trace."""
    return (decision.guarded or not decision.allowed) and not request.dry_run


def cut(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with all its texts and lists cut, so that it surely fits where the whole one does not."""
    return {key: _cut(value) for key, value in record.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:DECISION_CUT_CHARS]
    if isinstance(value, list):
        return [_cut(item) for item in value[:DECISION_CUT_ITEMS]]
    if isinstance(value, dict):
        return {_cut(key): _cut(item) for key, item in islice(value.items(), DECISION_CUT_ITEMS)}
    return value


def _who(identity: Identity) -> dict[str, object]:
    groups = [_short(group) for group in identity.groups[:DECISION_GROUPS]]
    left = len(identity.groups) - DECISION_GROUPS
    return {
        "user": _short(identity.username),
        "userUid": _short(identity.uid),
        "groups": [*groups, f"… {left} more"] if left > 0 else groups,
        "extra": {
            _short(key): [MASK if _PROOF.search(key) else _short(value) for value in values[:DECISION_EXTRAS]]
            for key, values in islice(identity.extra.items(), DECISION_EXTRAS)
        },
    }


def _gpu_users(decision: Decision) -> dict[str, object]:
    """Who used the GPU class that the write would have changed, where it is about one."""
    users = decision.audit.get(GPU_USERS, "")
    return {"gpuUsers": _short(users)} if users else {}


def _kind(request: Request, snapshot: SnapshotView | None) -> str:
    """Some subresources have a kind of their own (`Scale`): people look for that of the object."""
    if not request.subresource or snapshot is None:
        return request.kind
    entry = snapshot.find(request.group, request.resource, request.namespace, request.name)
    return entry.ref.kind if entry else request.kind


def _metadata(request: Request, field: str) -> str:
    for tree in (request.object, request.old):
        value: Tree = dig(tree, "metadata", field)
        if isinstance(value, str) and value:
            return _short(value)
    return ""


def _path(cause: Cause) -> dict[str, str]:
    return {
        "path": _short(cause.pointer),
        "verdict": cause.verdict,
        "want": _short(cause.want),
        "was": _short(cause.was),
        "now": _short(cause.now),
    }


def _short(text: str) -> str:
    return text[:DECISION_NAME_CHARS]
