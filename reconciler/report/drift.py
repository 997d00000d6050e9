"""Owns the words of the drift report and their JSON. Must not compare, mask or read a clock: values come in printable.

Times are RFC 3339 in UTC with seconds. An absent value is left out of the JSON, so that it cannot be taken for null.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.model.own import API_VERSION
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree
from reconciler.report.blind import steady

DEFAULT_CLUSTER: Final = "default"

ChangeOp = Literal["add", "remove", "replace"]
ChangeClass = Literal["changed", "missing", "extra", "default-overridden", "order"]
DriftState = Literal["drifted", "missing", "extra", "orphaned", "unknown", "in-sync"]
Severity = Literal["critical", "high", "medium", "low", "info"]
Attributed = Literal["admission", "audit", "managedFields", "none"]
OwnedBy = Literal["namespace", "annotation", "CODEOWNERS", ""]
STATES: Final[tuple[DriftState, ...]] = ("drifted", "missing", "extra", "orphaned", "unknown", "in-sync")
# The worst first.
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low", "info")

# What changes though nothing happened to what is reported (a status is written): not part of the digest.
_VOLATILE: Final = ("lastSeen", "liveResourceVersion")
_VOLATILE_GPU: Final = ("seenAt", "lines")


@dataclass(frozen=True, slots=True)
class DriftChange:
    """One path that differs. `path` is an RFC 6901 pointer, `field` the same for people; values are printable.

    `embedded` is the pointer on into the document that a string at `path` holds, "" for none.
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

    def as_json(self) -> dict[str, Any]:
        """The change as the report prints it."""
        out: dict[str, Any] = {"path": self.path, "field": self.field, "op": self.op, "class": self.klass}
        out |= {"embedded": self.embedded} if self.embedded else {}
        out |= {} if self.desired is ABSENT else {"desired": self.desired}
        out |= {} if self.live is ABSENT else {"live": self.live}
        return out | {"manager": self.manager, "operation": self.operation, "time": self.time, "user": self.user}


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

    `request_uid` is that of the record of the decision, `audit_id` that of the API server's audit event.
    """

    manager: str = ""
    user: str = ""
    time: str = ""
    confidence: Attributed = "none"
    groups: tuple[str, ...] = ()
    verb: str = ""
    request_uid: str = ""
    audit_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """The attribution as the report prints it."""
        known = {"manager": self.manager, "user": self.user, "groups": list(self.groups), "verb": self.verb}
        proof = {"requestUID": self.request_uid, "auditID": self.audit_id, "confidence": self.confidence}
        return {**known, "time": self.time, **proof}


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
    it, and is not enforced yet. `uid` is the live object's, "" where there is none; it is not printed. `gpu` says who
    uses the GPU class that it is about, and when the difference acts; empty where it is about none. `occurrences`
    counts how often the object began to differ, or came to differ otherwise; `resolved_at` is "" while it does.
    `live_generation` is 0 where the object has none.
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
            "state": self.state,
            "severity": self.severity,
            "severityReason": self.severity_reason,
            "owner": self.owner.as_json(),
            "source": _fields(self.source),
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
            "adopted": self.adopted,
        }


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One page of findings as JSON objects, and what is needed to know how far to trust it.

    `observed_at` is when the cluster was last compared in full, "" if never; `current_at` up to when all changes since
    are known, `unwatched` why those of some kinds are not. `counts` is over all that matches, not only the page;
    `managed` is the number of guarded objects, `stale` non-empty when the report must not be trusted.
    `hidden`: fields that each rule hid in the last pass, over all objects; `expired`: rules whose day has passed;
    `problems`: what of the desired state is left out or ambiguous; `blind`: when the guard did not see writes.
    """

    items: tuple[Mapping[str, Any], ...]
    generated_at: str
    observed_at: str = ""
    current_at: str = ""
    stale: str = ""
    snapshot: str = ""
    managed: int = 0
    total: int = 0
    counts: Mapping[str, int] | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unwatched: Mapping[str, str] = field(default_factory=dict)
    blind: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the times that move with each pass."""
        items = [_steady(item) for item in self.items]
        rules = [dict(self.hidden), list(self.expired), list(self.problems), dict(self.unwatched)]
        return sha256([items, self.stale, self.snapshot, self.managed, self.total, rules, steady(self.blind)])

    def as_json(self) -> dict[str, Any]:
        """The list envelope."""
        metadata = {
            "generatedAt": self.generated_at,
            "observedAt": self.observed_at,
            "currentAt": self.current_at,
            "stale": bool(self.stale),
            "staleReason": self.stale,
            "snapshot": self.snapshot,
            "digest": self.digest,
            "remainingItemCount": max(0, self.total - len(self.items)),
        }
        counts = Counter(str(item["state"]) for item in self.items) if self.counts is None else self.counts
        summary: dict[str, Any] = {"managed": self.managed, "total": self.total}
        summary |= {"hidden": dict(self.hidden), "expiredRules": list(self.expired), "problems": list(self.problems)}
        summary |= {"unwatched": dict(self.unwatched), "blind": dict(self.blind)}
        summary |= {state: counts.get(state, 0) for state in STATES if state != "in-sync"}
        return {
            "apiVersion": API_VERSION,
            "kind": "DriftList",
            "metadata": metadata,
            "summary": summary,
            "items": [dict(item) for item in self.items],
        }


def finding_id(ref: ObjectRef, cluster: str = DEFAULT_CLUSTER) -> str:
    """SHA-256, hex, of cluster/group/kind/namespace/name: stable for an object whatever its version."""
    text = f"{cluster}/{ref.group}/{ref.kind}/{ref.namespace}/{ref.name}"
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def sha256(value: Tree) -> str:
    """SHA-256, hex, of the value as sorted compact JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _steady(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in _VOLATILE}
    gpu = {key: value for key, value in item.get("gpu", {}).items() if key not in _VOLATILE_GPU}
    return kept | {"gpu": gpu} if gpu else kept


def _fields(record: DriftSource) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
