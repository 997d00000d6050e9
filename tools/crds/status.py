"""Owns what the status of each kind holds, and what of it kubectl shows in columns. Must not know a spec's schema."""

from __future__ import annotations

from typing import Final

from crds.words import Schema, choice, mapping, several, text, time
from reconciler.limits import OBJECT_TEXT_CHARS

STATES: Final = ("Waiting", "InForce", "Ended", "Revoked", "Refused")
MODES: Final = ("Enforced", "Watched", "New", "Held", "Suspended")
Column = tuple[str, str, str] | tuple[str, str, str, int]
_READY: Final = '.status.conditions[?(@.type=="Ready")]'


def _status(**properties: Schema) -> Schema:
    condition = mapping(
        {
            "type": text(chars=63, least=1),
            "status": choice("True", "False", "Unknown"),
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "reason": text(chars=OBJECT_TEXT_CHARS, least=1, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
            "message": text(),
        },
        required=("type", "status", "lastTransitionTime", "reason", "message"),
    )
    listed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    generation = {"type": "integer", "format": "int64", "description": "The generation that this is about."}
    return mapping(
        {"observedGeneration": generation, **properties, "conditions": several(condition, most=10, **listed)},
        says="What Setscrew says of it; nobody else writes it.",
    )


def _count(says: str) -> Schema:
    return {"description": says, "type": "integer", "format": "int64"}


STATUS: Final = {
    "GitSource": _status(
        mode=choice(*MODES, says="Whether what it declares is enforced, only watched, or as it was."),
        ref=text(says="What of the repository is followed."),
        revision=text(says="What is enforced, branch@sha1:…"),
        commit=text(chars=64, says="The commit that is enforced."),
        lastFetched=time("When its newest revision could last be read."),
        objects=_count("How many objects it declares."),
        signer=text(says="Who signed what is enforced."),
    ),
    "DriftPolicy": _status(objects=_count("How many guarded objects have their settings from it.")),
    "DriftGrant": _status(
        state=choice(*STATES),
        until=time("When it ends."),
        subjects=text(says="Whom it is for, in words."),
        scope=text(says="What it covers, in words."),
        revoked=time("Since when it is revoked."),
        revokedFor=text(says="Why."),
    ),
}


COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "GitSource": (
        ("URL", "string", ".spec.url"),
        ("Ref", "string", ".status.ref"),
        ("Revision", "string", ".status.revision"),
        ("Mode", "string", ".status.mode"),
        ("Ready", "string", f"{_READY}.status"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Reason", "string", f"{_READY}.reason", 1),
        ("Path", "string", ".spec.path", 1),
        ("Objects", "integer", ".status.objects", 1),
        ("Fetched", "date", ".status.lastFetched", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
    "DriftPolicy": (
        ("Action", "string", ".spec.action"),
        ("Priority", "integer", ".spec.priority"),
        ("Failure", "string", ".spec.failurePolicy"),
        ("Objects", "integer", ".status.objects"),
        ("Ready", "string", f"{_READY}.status"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Undeclared", "string", ".spec.undeclared", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
    "DriftGrant": (
        ("Subjects", "string", ".status.subjects"),
        ("Scope", "string", ".status.scope"),
        ("State", "string", ".status.state"),
        ("Until", "string", ".status.until"),
        ("Approver", "string", ".spec.approver"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Reason", "string", ".spec.reason", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
}
