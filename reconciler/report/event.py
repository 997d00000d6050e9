"""Owns what a Kubernetes Event says of a finding, a decision or a source. Must not send it, nor read a clock.

An Event is read by whoever may read its namespace, which are more people than may read the report or the object. So it
names paths, people, files and commits, and no value at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from reconciler.limits import EVENT_INSTANCE_CHARS, EVENT_NOTE_BYTES, EVENT_PATH_CHARS, EVENT_PATHS
from reconciler.model.instant import stamp_microseconds
from reconciler.model.own import API_VERSION, GROUP, LEVERS
from reconciler.report.drift import DriftItem, sha256
from reconciler.report.printable import one_line

CONTROLLER: Final = f"{GROUP}/reconciler"
EVENTS_API: Final = "events.k8s.io/v1"
# Where the API server wants Events of cluster-scoped objects.
_CLUSTER_SCOPED: Final = "default"

Reason = Literal[
    "DriftDetected",
    "DriftResolved",
    "OutOfBandChangeDenied",
    "OutOfBandChangeAllowed",
    "BreakGlassUsed",
    "SourceReady",
    "FetchFailed",
    "VerificationFailed",
    "RenderFailed",
    "ConfigurationAccepted",
    "ConfigurationRefused",
    "GrantInForce",
    "GrantEnded",
    "GrantRevoked",
]
# Of our own objects: whether they are used, and what has become of a grant.
LeverReason = Literal["ConfigurationAccepted", "ConfigurationRefused", "GrantInForce", "GrantEnded", "GrantRevoked"]
_ACTIONS: Final[Mapping[Reason, str]] = {
    "DriftDetected": "Compare",
    "DriftResolved": "Compare",
    "OutOfBandChangeDenied": "Judge",
    "OutOfBandChangeAllowed": "Judge",
    "BreakGlassUsed": "Judge",
    "ConfigurationAccepted": "Configure",
    "ConfigurationRefused": "Configure",
    "GrantInForce": "Grant",
    "GrantEnded": "Grant",
    "GrantRevoked": "Grant",
}
_NORMAL: Final[frozenset[Reason]] = frozenset(
    {"DriftResolved", "SourceReady", "ConfigurationAccepted", "GrantInForce", "GrantEnded", "GrantRevoked"}
)
# Of the states of a source; the others are no news for its owner, or pass by themselves.
_SOURCE_REASONS: Final[Mapping[str, Reason]] = {
    "Ready": "SourceReady",
    "FetchFailed": "FetchFailed",
    "RefNotFound": "FetchFailed",
    "VerifyFailed": "VerificationFailed",
    "RenderFailed": "RenderFailed",
}
# Refusals that say nothing about the change: a fault of ours, or nothing to judge by yet.
_NO_VERDICTS: Final = frozenset({"internal-error", "no-snapshot"})
# What the states mean that are drift; of the others nobody knows, or there is nothing to tell.
DRIFT: Final = {
    "drifted": "not as Git says",
    "missing": "missing, though Git declares it",
    "extra": "not declared in Git, and its kind is exclusive",
    "orphaned": "left over: Git declares it no longer",
}


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an Event is about; where its `uid` is not known, `resource` is its plural, if that is."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource: str = ""

    def as_json(self) -> dict[str, str]:
        """As an ObjectReference."""
        reference = {"apiVersion": self.api_version, "kind": self.kind, "namespace": self.namespace}
        reference |= {"name": self.name, "uid": self.uid}
        return {key: value for key, value in reference.items() if value}


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """Something to tell at an object. `key` is one SHA-256 for the same thing, however often it happens."""

    reason: Reason
    regarding: Regarding
    note: str
    key: str

    @property
    def namespace(self) -> str:
        """Where the Event stands: beside its object."""
        return self.regarding.namespace or _CLUSTER_SCOPED

    @property
    def name(self) -> str:
        """The same name for the same thing, so that no restart and no second replica tells it twice."""
        return f"setscrew.{self.key[:32]}"

    def as_json(self, instance: str, at: datetime) -> dict[str, Any]:
        """The Event of its first time; `instance` names the reporting process."""
        return {
            "apiVersion": EVENTS_API,
            "kind": "Event",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "eventTime": stamp_microseconds(at),
            "reportingController": CONTROLLER,
            "reportingInstance": instance[:EVENT_INSTANCE_CHARS],
            "action": _ACTIONS.get(self.reason, "Follow"),
            "reason": self.reason,
            "type": "Normal" if self.reason in _NORMAL else "Warning",
            "regarding": self.regarding.as_json(),
            "note": self.note,
        }


def detected(item: DriftItem) -> ClusterEvent:
    """The Event of a finding, on the object that differs."""
    note = f"{DRIFT.get(item.state, item.state)}{_named([change.field or change.path for change in item.changes])}"
    if item.source.file:
        note += f"; declared in {item.source.file}:{item.source.line} of source {item.source.name}"
        note += f" at {item.source.commit[:12]}" if item.source.commit else ""
    if who := item.attribution.user or item.attribution.manager:
        note += f"; last written by {who} ({item.attribution.confidence})"
    note += f"; under grant {item.grant}" if item.grant else ""
    about = Regarding(item.api_version, item.kind, item.namespace, item.name, item.uid)
    return ClusterEvent("DriftDetected", about, _cut(one_line(note)), key_of(item))


def key_of(item: DriftItem) -> str:
    """The key of its Event: of this difference of this object."""
    return sha256(["DriftDetected", item.id, item.fingerprint])


def resolved(finding: Mapping[str, Any], uid: str = "") -> ClusterEvent:
    """The Event of a finding that is over, as JSON."""
    api_version, kind, namespace, name = (str(finding[key]) for key in ("apiVersion", "kind", "namespace", "name"))
    note = f"over since {finding['resolvedAt']}: it was {finding['state']} since {finding['firstSeen']}"
    about = Regarding(api_version, kind, namespace, name, uid)
    return _event("DriftResolved", about, note, [finding["id"], finding["fingerprint"]])


def of_decision(record: Mapping[str, Any]) -> ClusterEvent | None:
    """The Event of a recorded decision about a write that is not what Git says; None where there is nothing to tell."""
    code, name = str(record.get("code", "")), str(record.get("name", ""))
    if not name or not record.get("kind") or code in _NO_VERDICTS:
        return None
    user, operation = str(record.get("user", "")), str(record.get("operation", "")).lower()
    paths = [str(one.get("path", "")) for one in record.get("paths") or ()]
    if record.get("allowed") is False:
        reason: Reason = "OutOfBandChangeDenied"
        note = f"{operation} by {user} refused ({code}){_named(paths)}"
    elif code == "granted":
        reason, note = "BreakGlassUsed", f"{operation} by {user} under grant {record.get('grant')}{_named(paths)}"
    elif record.get("would"):
        reason = "OutOfBandChangeAllowed"
        note = f"{operation} by {user} admitted ({code}; would be refused as {record['would']}){_named(paths)}"
    else:
        return None
    group, version = str(record.get("group", "")), str(record.get("version", ""))
    kind = str(record["kind"])
    # The API server puts the name of a Namespace where that of its namespace stands.
    namespace = "" if (group, kind) == ("", "Namespace") else str(record.get("namespace", ""))
    api_version, resource = f"{group}/{version}" if group else version, str(record.get("resource", ""))
    about = Regarding(api_version, kind, namespace, name, resource=resource)
    return _event(reason, about, note, [group, kind, namespace, name, user, operation, code, paths])


def of_source(source: Mapping[str, Any]) -> ClusterEvent | None:
    """The Event of the state that a source is in now; None where its state is nothing to tell."""
    reason = _SOURCE_REASONS.get(str(source["state"]))
    if reason is None:
        return None
    name, revision = str(source["name"]), str(source["attempted"])
    # Messages of renderers quote what they could not read.
    why = f"{revision}: {source['state']}; `setscrew source list` says why"
    told = f"enforced at {source['enforced']}" if reason == "SourceReady" else why
    about = Regarding(API_VERSION, LEVERS["gitsources"], "", name, resource="gitsources")
    return _event(reason, about, told, [name, revision])


def of_lever(reason: LeverReason, kind: str, name: str, uid: str, note: str, same: Sequence[Any]) -> ClusterEvent:
    """The Event of what has become of one of our own objects; `same` tells one such thing from another."""
    return _event(reason, Regarding(API_VERSION, kind, "", name, uid), note, [kind, name, uid, *same])


def _event(reason: Reason, about: Regarding, note: str, same: Sequence[Any]) -> ClusterEvent:
    return ClusterEvent(reason, about, _cut(one_line(note)), sha256([reason, *same]))


def _named(paths: Sequence[str]) -> str:
    """The first few paths, and how many are left out."""
    if not paths:
        return ""
    shown = ", ".join(path[:EVENT_PATH_CHARS] for path in paths[:EVENT_PATHS])
    left = len(paths) - EVENT_PATHS
    return f": {shown}" + (f" and {left} more" if left > 0 else "")


def _cut(note: str) -> str:
    """As much of it as the API server takes, which counts bytes."""
    data = note.encode()
    if len(data) <= EVENT_NOTE_BYTES:
        return note
    return data[: EVENT_NOTE_BYTES - 3].decode(errors="ignore") + "…"
