"""Owns the JSON schemas of all answers, kept by hand: a change of the wire is a change here. Must not build an answer.

Objects may gain keys from one version to the next, so none forbids more; `required` are those that are promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.report.drift import SEVERITIES, STATES
from reconciler.report.moment import HAPPENED, MARK

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
ANY: Final[Schema] = {}
OPEN: Final[Schema] = {"type": "object"}
# RFC 3339 in UTC, or "" for never.
TIME: Final[Schema] = {"type": "string", "pattern": r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)?$"}
_STATES: Final = [state for state in STATES if state != "in-sync"]


def listed(of: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": of}


def mapped(to: Schema) -> Schema:
    """An object with keys of any name."""
    return {"type": "object", "additionalProperties": to}


def one_of(words: Sequence[str]) -> Schema:
    """A closed list of words."""
    return {"type": "string", "enum": list(words)}


def record(optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """An object with these keys."""
    return {"type": "object", "required": sorted(required), "properties": {**required, **(optional or {})}}


def ref(name: str) -> Schema:
    """A schema of this module by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def envelope(kind: str, of: Schema, metadata: Schema, /, **more: Schema) -> Schema:
    """A list as all answers have it."""
    api = {"type": "string", "const": "setscrew.dev/v1alpha1"}
    kinds = {"type": "string", "const": kind}
    return record(apiVersion=api, kind=kinds, metadata=metadata, items=listed(of), **more)


_CHANGE: Final = record(
    {"desired": ANY, "live": ANY, "embedded": TEXT, "user": TEXT, "masked": FLAG, "subresource": TEXT},
    path=TEXT,
    field=TEXT,
    op=one_of(["add", "remove", "replace"]),
    manager=TEXT,
    operation=TEXT,
    time=TEXT,
    **{"class": one_of(["changed", "missing", "extra", "default-overridden", "order"])},
)
_PLACED: Final[Mapping[str, Schema]] = {
    **dict.fromkeys(("url", "path", "file", "revision", "commit", "signer"), TEXT),
    "line": WHOLE,
    "enforced": FLAG,
}
_NOW: Final[Mapping[str, Schema]] = {"ref": TEXT, "origin": TEXT}
_ATTRIBUTION: Final = record(
    {"groups": listed(TEXT), "verb": TEXT, "userAgent": TEXT, "requestUID": TEXT, "auditID": TEXT},
    manager=TEXT,
    user=TEXT,
    time=TEXT,
    confidence=one_of(["admission", "audit", "managedFields", "none"]),
)
_OWNER: Final = record(
    team=TEXT,
    costCenter=TEXT,
    contact=TEXT,
    labels=mapped(TEXT),
    **{"from": one_of(["namespace", "annotation", "CODEOWNERS", ""])},
)
_FINDING: Final[Mapping[str, Schema]] = {
    "id": {"type": "string", "minLength": 1},
    "fingerprint": TEXT,
    "cluster": TEXT,
    "apiVersion": TEXT,
    "kind": TEXT,
    "namespace": TEXT,
    "name": TEXT,
    "state": one_of(_STATES),
    "severity": one_of(SEVERITIES),
    "owner": _OWNER,
    "source": record(_NOW, name=TEXT, **_PLACED),
    "changes": listed(_CHANGE),
    "grant": TEXT,
    "attribution": _ATTRIBUTION,
    "firstSeen": TIME,
    "lastSeen": TIME,
    "resolvedAt": TIME,
    "occurrences": {"type": "integer", "minimum": 1},
    "reason": TEXT,
    "confidence": one_of(["server", "offline"]),
    "patch": listed(record({"value": ANY, "from": TEXT}, op=TEXT, path=TEXT)),
    "hidden": mapped(WHOLE),
    "adopted": FLAG,
}
_MORE: Final[Mapping[str, Schema]] = {
    "gpu": OPEN,
    "liveResourceVersion": TEXT,
    "liveGeneration": WHOLE,
    "desiredRevision": TEXT,
    "severityReason": TEXT,
    "uid": TEXT,
    "class": one_of(["hard", "defaulted", ""]),
    "ignored": listed(record(field=TEXT, ignoredBy=TEXT, reason=TEXT, **{"class": TEXT})),
    "links": record(ui=TEXT, git=TEXT, commit=TEXT, self=TEXT),
    "exception": record(id=TEXT, by=TEXT, until=TIME, reason=TEXT),
}
# What is in sync has a source by name, a group in place of a version, and nothing that findings have.
_LISTED: Final[Mapping[str, Schema]] = {
    "state": one_of(STATES),
    "group": TEXT,
    "source": record({**_PLACED, **_NOW}, name=TEXT),
}
_LIST_METADATA: Final = record(generatedAt=TIME, remainingItemCount=WHOLE)
_TIMES: Final = ("generatedAt", "observedAt", "currentAt")
_TRUST: Final[Mapping[str, Schema]] = {**dict.fromkeys(_TIMES, TIME), "stale": FLAG, "staleReason": TEXT}
_COUNTS: Final[Mapping[str, Schema]] = dict.fromkeys(_STATES, WHOLE)
_ROW: Final[Mapping[str, Schema]] = {
    "drift": record(total=WHOLE, **_COUNTS),
    "severity": record(**dict.fromkeys(SEVERITIES, WHOLE)),
    "denials": WHOLE,
    "open": record(oldest=TIME, oldestSeconds=WHOLE, totalSeconds=WHOLE),
    "topWriters": listed(record(name=TEXT, findings=WHOLE)),
}
_SPAN: Final = record(
    id=TEXT, cause=TEXT, since=TIME, until=TIME, seen=TIME, entries=listed(TEXT), detail=TEXT,
    writes={"type": ["integer", "null"], "minimum": 0},
)  # fmt: skip

_TREND: Final = listed(record(day=TEXT, found=WHOLE, resolved=WHOLE, denials=WHOLE, counted=FLAG))
# What is known of one object; what is not known is null.
_VIEWS: Final[Mapping[str, Schema]] = {
    "desired": record(
        {"object": OPEN, "confidence": one_of(["server", "offline"]), "source": record(name=TEXT, **_PLACED)},
        declared={"type": ["boolean", "null"]},
        reason=TEXT,
    ),
    "live": record(
        {"uid": TEXT, "liveResourceVersion": TEXT, "liveGeneration": WHOLE},
        there={"type": ["boolean", "null"]},
        reason=TEXT,
        fields=listed(record({"live": ANY}, path=TEXT, field=TEXT)),
    ),
    "diff": record(
        known=FLAG,
        reason=TEXT,
        changes=listed(_CHANGE),
        patch=listed(OPEN),
        hidden={"anyOf": [mapped(WHOLE), {"type": "null"}]},
    ),
    "links": record(self=TEXT, ui=TEXT, git=TEXT, commit=TEXT),
}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Problem": record(
        {"title": TEXT, "status": WHOLE, "detail": TEXT, "continue": TEXT},
        type={"type": "string", "const": "about:blank"},
    ),
    # A finding that `fields` has cut down has fewer keys.
    "Finding": {"type": "object", "properties": {**_FINDING, **_MORE, **_LISTED}},
    "Drift": record(_MORE, **_FINDING, history=listed(record(event=TEXT, time=TIME))),
    "DriftReport": {"anyOf": [ref("DriftList"), ref("OpenReports")]},
    "DriftFound": {"anyOf": [ref("Drift"), ref("OpenReports")]},
    "OpenReports": record(apiVersion=TEXT, kind={"type": "string", "const": "List"}, items=listed(OPEN)),
    "DriftList": envelope(
        "DriftList",
        ref("Finding"),
        record(**_TRUST, snapshot=TEXT, digest=TEXT, remainingItemCount=WHOLE, **{"continue": TEXT}),
        summary=record(
            managed=WHOLE,
            total=WHOLE,
            hidden=mapped(WHOLE),
            expiredRules=listed(TEXT),
            problems=listed(TEXT),
            unwatched=mapped(TEXT),
            blind=OPEN,
            **_COUNTS,
        ),
    ),
    "DriftSummary": envelope(
        "DriftSummary",
        record({"labels": mapped(TEXT), "trend": _TREND}, name=TEXT, **_ROW),
        record(**_TRUST, by=TEXT, labels=listed(TEXT), since=TIME),
        total=record(**_ROW),
        trend=_TREND,
    ),
    "SourceList": envelope("SourceList", record(name=TEXT, state=TEXT), _LIST_METADATA),
    "Source": record(apiVersion=TEXT, kind={"type": "string", "const": "Source"}, name=TEXT, state=TEXT),
    "GuardedList": envelope(
        "GuardedList",
        record(group=TEXT, kind=TEXT, namespace=TEXT, name=TEXT, source=TEXT, adopted=FLAG, since=TIME, commit=TEXT),
        _LIST_METADATA,
    ),
    "DecisionList": envelope(
        "DecisionList",
        record({"allowed": FLAG}, seq=WHOLE, cluster=TEXT, hash=TEXT, time=TEXT, code=TEXT),
        _LIST_METADATA,
    ),
    "BlindList": envelope(
        "BlindList",
        _SPAN,
        record(generatedAt=TIME, remainingItemCount=WHOLE, remainingSlippedCount=WHOLE),
        slipped=listed(record(id=TEXT, time=TIME)),
        watches=mapped(OPEN),
    ),
    "ClusterList": envelope(
        "ClusterList",
        record(
            name=TEXT,
            reach=one_of(["reached", "partly", "unknown"]),
            reason=TEXT,
            kubernetes=TEXT,
            unwatched=mapped(TEXT),
            counts=record(managed=WHOLE, total=WHOLE, **_COUNTS),
            **{name: _TRUST[name] for name in ("observedAt", "currentAt", "stale", "staleReason")},
        ),
        _LIST_METADATA,
    ),
    "UnmanagedList": envelope(
        "UnmanagedList",
        record(
            namespace=TEXT,
            managed=WHOLE,
            unmanaged=WHOLE,
            kinds=listed(record(group=TEXT, kind=TEXT, number=WHOLE)),
        ),
        record(generatedAt=TIME, remainingItemCount=WHOLE, countedAt=TIME, complete=FLAG),
        uncounted=mapped(TEXT),
    ),
    "Resource": record(
        apiVersion=TEXT,
        kind={"type": "string", "const": "Resource"},
        metadata=record(**_TRUST),
        resource=record(
            _VIEWS,
            finding=TEXT,
            guarded={"anyOf": [record(source=TEXT, adopted=FLAG, since=TIME, commit=TEXT), {"type": "null"}]},
            objectVersion=TEXT,
            state=one_of(STATES),
            **dict.fromkeys(("cluster", "group", "kind", "namespace", "name", "reason"), TEXT),
        ),
    ),
    "StreamEvent": record(event=one_of(["ready", "reset", *HAPPENED]), id={**TEXT, "pattern": MARK}, data=TEXT),
    "Delivery": record({"sources": listed(TEXT), "reason": TEXT, "delivery": TEXT}, status=TEXT),
}
