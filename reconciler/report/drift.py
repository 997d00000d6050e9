"""Owns the words of the drift report and their JSON. Must not compare, mask or read a clock: values come in printable.

Times are RFC 3339 in UTC with seconds. An absent value is left out of the JSON, so that it cannot be taken for null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree

DEFAULT_CLUSTER: Final = "default"

ChangeOp = Literal["add", "remove", "replace"]
ChangeClass = Literal["changed", "missing", "extra", "default-overridden", "order"]
DriftClass = Literal["hard", "defaulted", ""]
DriftState = Literal["drifted", "missing", "extra", "orphaned", "unknown", "in-sync"]
Severity = Literal["critical", "high", "medium", "low", "info"]
Attributed = Literal["admission", "audit", "managedFields", "none"]
OwnedBy = Literal["namespace", "annotation", "CODEOWNERS", ""]
STATES: Final[tuple[DriftState, ...]] = ("drifted", "missing", "extra", "orphaned", "unknown", "in-sync")
# The worst first.
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low", "info")


@dataclass(frozen=True, slots=True)
class DriftChange:
    """One path that differs. `path` is an RFC 6901 pointer, `field` the same for people; values are printable.

    `embedded` is the pointer on into the document that a string at `path` holds, "" for none. `subresource` is the one
    through which it was written, `masked` says that a value is not shown.
    """

    path: str
    op: ChangeOp
    desired: Tree = ABSENT
    live: Tree = ABSENT
    klass: ChangeClass = "changed"
    manager: str = ""
    operation: str = ""
    time: str = ""
    field: str = ""
    embedded: str = ""
    user: str = ""
    subresource: str = ""
    masked: bool = False

    def as_json(self) -> dict[str, Any]:
        """The change as the report prints it."""
        out: dict[str, Any] = {"path": self.path, "field": self.field, "op": self.op, "class": self.klass}
        out |= {"embedded": self.embedded} if self.embedded else {}
        out |= {} if self.desired is ABSENT else {"desired": self.desired}
        out |= {} if self.live is ABSENT else {"live": self.live}
        out |= {"masked": self.masked, "manager": self.manager, "operation": self.operation}
        return out | {"subresource": self.subresource, "time": self.time, "user": self.user}


@dataclass(frozen=True, slots=True)
class IgnoredField:
    """A field that differs, and the rule that hides it: `ignored_by` is its id, `reason` what it says. No values."""

    field: str
    klass: str
    ignored_by: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """The field as the report prints it."""
        return {"field": self.field, "class": self.klass, "ignoredBy": self.ignored_by, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class DriftSource:
    """Where Git declares the object; `url` holds no credentials. `enforced` False: nothing of it is refused yet."""

    name: str = ""
    url: str = ""
    path: str = ""
    file: str = ""
    line: int = 0
    revision: str = ""
    commit: str = ""
    enforced: bool = True
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who did it. `confidence` says how it is known; managedFields name a manager, the others a person.

    `request_uid` is that of the record of the decision, `audit_id` that of the API server's audit event. `user_agent`
    is what the client called itself: reviews do not say it, audit events do.
    """

    manager: str = ""
    user: str = ""
    time: str = ""
    confidence: Attributed = "none"
    groups: tuple[str, ...] = ()
    verb: str = ""
    request_uid: str = ""
    audit_id: str = ""
    user_agent: str = ""

    def as_json(self) -> dict[str, Any]:
        """The attribution as the report prints it."""
        known = {"manager": self.manager, "user": self.user, "groups": list(self.groups), "verb": self.verb}
        proof = {"requestUID": self.request_uid, "auditID": self.audit_id, "confidence": self.confidence}
        return {**known, "userAgent": self.user_agent, "time": self.time, **proof}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for the object. `origin` says what names them: "" is nobody. `labels` are the namespace's, all."""

    team: str = ""
    cost_center: str = ""
    contact: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: OwnedBy = ""

    def as_json(self) -> dict[str, Any]:
        """The owner as the report prints it."""
        named = {"team": self.team, "costCenter": self.cost_center, "contact": self.contact}
        return {**named, "labels": dict(self.labels), "from": self.origin}


@dataclass(frozen=True, slots=True)
class DriftItem:
    """One object that is not as Git says, or of which that is not known.

    `id` is stable for the object, `fingerprint` for this very difference. `reason` says why a state is unknown or a
    form only offline; `patch` is RFC 6902, live to desired, empty where it would hold a masked value. `hidden` counts
    the differing fields that each named rule hides, by the rule's id. `adopted` False: it was there before Git declared
    it, and is not enforced yet. `uid` is the live object's, "" where there is none. `gpu` says who uses the GPU class
    that it is about, and when the difference acts; empty where it is about none. `occurrences` counts how often the
    object began to differ, or came to differ otherwise; `resolved_at` is "" while it does. `live_generation` is 0 where
    the object has none. `ignored` are the fields that `hidden` counts, the first of them.
    """

    id: str
    fingerprint: str
    api_version: str
    kind: str
    namespace: str
    name: str
    state: DriftState
    source: DriftSource = DriftSource()
    changes: tuple[DriftChange, ...] = ()
    attribution: Attribution = Attribution()
    first_seen: str = ""
    last_seen: str = ""
    reason: str = ""
    confidence: str = "offline"
    patch: tuple[Mapping[str, Any], ...] = ()
    hidden: Mapping[str, int] = field(default_factory=dict)
    adopted: bool = True
    uid: str = ""
    cluster: str = DEFAULT_CLUSTER
    grant: str = ""
    gpu: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "medium"
    severity_reason: str = ""
    owner: Owner = Owner()
    occurrences: int = 1
    resolved_at: str = ""
    live_resource_version: str = ""
    live_generation: int = 0
    desired_revision: str = ""
    ignored: tuple[IgnoredField, ...] = ()

    @property
    def klass(self) -> DriftClass:
        """Whether it contradicts Git, or only what the API server would fill in where Git is silent."""
        filled_in = self.changes and all(change.klass == "default-overridden" for change in self.changes)
        return "" if self.state in ("unknown", "in-sync") else "defaulted" if filled_in else "hard"

    @property
    def group(self) -> str:
        """The API group of `api_version`."""
        return split_api_version(self.api_version)[0]

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        return ObjectRef(self.group, self.kind, self.namespace, self.name)

    def as_json(self) -> dict[str, Any]:
        """The finding as the report prints it."""
        gpu = {"gpu": dict(self.gpu)} if self.gpu else {}
        return gpu | {
            "id": self.id,
            "fingerprint": self.fingerprint,
            "cluster": self.cluster,
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "state": self.state,
            "class": self.klass,
            "severity": self.severity,
            "severityReason": self.severity_reason,
            "owner": self.owner.as_json(),
            "source": source_json(self.source),
            "changes": [change.as_json() for change in self.changes],
            "grant": self.grant,
            "attribution": self.attribution.as_json(),
            "firstSeen": self.first_seen,
            "lastSeen": self.last_seen,
            "resolvedAt": self.resolved_at,
            "occurrences": self.occurrences,
            "desiredRevision": self.desired_revision,
            "liveResourceVersion": self.live_resource_version,
            "liveGeneration": self.live_generation,
            "reason": self.reason,
            "confidence": self.confidence,
            "patch": [dict(step) for step in self.patch],
            "hidden": dict(self.hidden),
            "ignored": [one.as_json() for one in self.ignored],
            "adopted": self.adopted,
        }


def finding_id(ref: ObjectRef, cluster: str = DEFAULT_CLUSTER) -> str:
    """SHA-256, hex, of cluster/group/kind/namespace/name: stable for an object whatever its version."""
    text = f"{cluster}/{ref.group}/{ref.kind}/{ref.namespace}/{ref.name}"
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def sha256(value: Tree) -> str:
    """SHA-256, hex, of the value as sorted compact JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def source_json(record: DriftSource) -> dict[str, Any]:
    """Where Git declares it, as the report prints it."""
    return {name: getattr(record, name) for name in record.__slots__}
