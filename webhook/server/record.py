"""Owns the form of one decision record, as it goes to the state store. Pure; must not send it.

A record names paths and the printable, masked values of a denial, never the objects.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.limits import DECISION_GROUPS, DECISION_NAME_CHARS, DENIAL_PATHS
from reconciler.model.tree import dig
from webhook.decision.types import Cause, Decision, Request


def decision_record(
    request: Request, decision: Decision, snapshot_digest: str, now: float, latency: float
) -> dict[str, object]:
    """One line of the table of decisions. `now` is Unix seconds, `latency` seconds; every string is bounded."""
    return {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uid": _short(request.uid),
        "user": _short(request.identity.username),
        "groups": [_short(group) for group in request.identity.groups[:DECISION_GROUPS]],
        "operation": request.operation,
        "group": _short(request.group),
        "version": _short(request.version),
        "kind": _short(request.kind),
        "namespace": _short(request.namespace),
        "name": _short(request.name) or _metadata(request, "name"),
        "resource": _short(request.resource),
        "subresource": _short(request.subresource),
        "code": decision.code,
        "allowed": decision.allowed,
        "snapshot": snapshot_digest,
        "paths": [_path(cause) for cause in decision.causes[:DENIAL_PATHS]],
        "resourceVersion": _metadata(request, "resourceVersion"),
        "latency": round(latency, 6),
    }


def worth_recording(request: Request, decision: Decision) -> bool:
    """True for decisions about guarded objects; a dry run leaves no trace."""
    return decision.guarded and not request.dry_run


def _metadata(request: Request, field: str) -> str:
    for tree in (request.object, request.old):
        value: Any = dig(tree, "metadata", field)
        if isinstance(value, str) and value:
            return _short(value)
    return ""


def _path(cause: Cause) -> dict[str, str]:
    return {
        "path": _short(cause.pointer),
        "verdict": cause.verdict,
        "want": _short(cause.want),
        "now": _short(cause.now),
    }


def _short(text: str) -> str:
    return text[:DECISION_NAME_CHARS]
