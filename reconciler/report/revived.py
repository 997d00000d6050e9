"""Owns the way back from a finding as JSON, as it is stored, to the finding. Must not judge what it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.tree import ABSENT
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, IgnoredField, Owner


def revived(body: Mapping[str, Any]) -> DriftItem:
    """The finding that `DriftItem.as_json` wrote, also one of a version that wrote less."""
    return DriftItem(
        id=body["id"],
        fingerprint=body["fingerprint"],
        api_version=body["apiVersion"],
        kind=body["kind"],
        namespace=body["namespace"],
        name=body["name"],
        state=body["state"],
        source=DriftSource(**body["source"]),
        changes=tuple(map(_change, body["changes"])),
        attribution=_attribution(body["attribution"]),
        first_seen=body["firstSeen"],
        last_seen=body["lastSeen"],
        reason=body["reason"],
        confidence=body["confidence"],
        patch=tuple(body["patch"]),
        hidden=body["hidden"],
        adopted=body["adopted"],
        cluster=body["cluster"],
        grant=body["grant"],
        gpu=body.get("gpu", {}),
        severity=body.get("severity", "medium"),
        severity_reason=body.get("severityReason", ""),
        owner=_owner(body.get("owner", {})),
        occurrences=body.get("occurrences", 1),
        resolved_at=body.get("resolvedAt", ""),
        live_resource_version=body.get("liveResourceVersion", ""),
        live_generation=body.get("liveGeneration", 0),
        desired_revision=body.get("desiredRevision", ""),
        uid=body.get("uid", ""),
        ignored=tuple(map(_ignored, body.get("ignored", ()))),
    )


def _change(body: Mapping[str, Any]) -> DriftChange:
    return DriftChange(
        path=body["path"],
        op=body["op"],
        desired=body.get("desired", ABSENT),
        live=body.get("live", ABSENT),
        klass=body["class"],
        manager=body["manager"],
        operation=body["operation"],
        time=body["time"],
        field=body["field"],
        embedded=body.get("embedded", ""),
        user=body.get("user", ""),
        subresource=body.get("subresource", ""),
        masked=body.get("masked", False),
    )


def _ignored(body: Mapping[str, Any]) -> IgnoredField:
    return IgnoredField(body["field"], body["class"], body["ignoredBy"], body["reason"])


def _attribution(body: Mapping[str, Any]) -> Attribution:
    return Attribution(
        manager=body["manager"],
        user=body["user"],
        time=body["time"],
        confidence=body["confidence"],
        groups=tuple(body.get("groups", ())),
        verb=body.get("verb", ""),
        request_uid=body.get("requestUID", ""),
        audit_id=body.get("auditID", ""),
        user_agent=body.get("userAgent", ""),
    )


def _owner(body: Mapping[str, Any]) -> Owner:
    named = (body.get("team", ""), body.get("costCenter", ""), body.get("contact", ""))
    return Owner(*named, labels=body.get("labels", {}), origin=body.get("from", ""))
